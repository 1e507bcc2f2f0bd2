"""Validates the files of deploy/ against the schemas of Compose, Kubernetes and KEDA, and refuses keys that those do not have.

usage: validate.py COMPOSE_SCHEMA KEDA_CRDS
  COMPOSE_SCHEMA  schema/compose-spec.json of github.com/compose-spec/compose-spec
  KEDA_CRDS       folder config/crd/bases of github.com/kedacore/keda

Needs the packages jsonschema (4 or later), PyYAML and kubernetes-validate, which has the schemas of Kubernetes.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

compose_schema, crds = map(pathlib.Path, sys.argv[1:])
deploy = pathlib.Path(__file__).parents[2] / "deploy"
kubernetes_version = "1.34.0"


def close(schema):
    """Refuses keys that an object's schema does not name."""
    if isinstance(schema, dict):
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            close(part)
    elif isinstance(schema, list):
        for part in schema:
            close(part)
    return schema


def keda_schema(kind):
    """Schema of the version v1alpha1 of a kind, whose metadata is Kubernetes' own."""
    path = crds / f"keda.sh_{kind.lower()}s.yaml"
    versions = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["versions"]
    schema = next(version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1alpha1")
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return close(schema)


faults = 0


def report(path, errors):
    global faults
    for error in errors:
        faults += 1
        print(f"{path}: {'.'.join(map(str, error.path))}: {error.message}")


compose = deploy / "compose.yaml"
schema = json.loads(compose_schema.read_text(encoding="utf-8"))
report(compose, jsonschema.Draft7Validator(schema).iter_errors(yaml.safe_load(compose.read_text(encoding="utf-8"))))
count = 0
for path in sorted((deploy / "kubernetes").glob("*.yaml")):
    for item in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        count += 1
        if item["apiVersion"].startswith("keda.sh/"):
            report(path, jsonschema.Draft7Validator(keda_schema(item["kind"])).iter_errors(item))
            continue
        try:
            kubernetes_validate.validate(item, kubernetes_version, strict=True)
        except kubernetes_validate.ValidationError as error:
            report(path, [error])
print(f"{compose} and {count} objects read, {faults} faults")
sys.exit(1 if faults else 0)
