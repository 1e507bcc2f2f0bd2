"""Writes schemas.json: the schemas by which deploy.test.ts checks deploy/, with what it does not need left out.

usage: collect.py COMPOSE_SCHEMA KEDA_CRDS > schemas.json
  COMPOSE_SCHEMA  schema/compose-spec.json of github.com/compose-spec/compose-spec (commit 170098b, Apache-2.0)
  KEDA_CRDS       folder config/crd/bases of github.com/kedacore/keda (commit 8b4f083, Apache-2.0)

Needs the packages PyYAML and kubernetes-validate (1.37.0), which has the schemas of Kubernetes (Apache-2.0).
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml

compose_schema, crds = map(pathlib.Path, sys.argv[1:])
kubernetes_version = "v1.34.0"
kinds = ("apps.v1.Deployment", "apps.v1.StatefulSet", "core.v1.Service")
identifier = "https://kubernetes.io/api/_definitions.json"


def plain(schema):
    """Without descriptions and examples; a property of such a name stays."""
    if isinstance(schema, list):
        return [plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, part in schema.items():
        if key in ("properties", "patternProperties", "definitions"):
            kept[key] = {name: plain(inner) for name, inner in part.items()}
        elif key not in ("description", "examples", "default", "format") and not key.startswith("x-"):
            kept[key] = part if key in ("enum", "const", "required") else plain(part)
    return kept


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
    return plain(close(schema))


def references(schema):
    """The definitions that a schema names."""
    if isinstance(schema, list):
        return set().union(*map(references, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rsplit("/", 1)[1]} if "$ref" in schema else set()
    return own.union(*map(references, schema.values()))


def kubernetes_definitions():
    """Definitions of all kinds and of what they are made of; unknown keys are refused already."""
    folder = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"{kubernetes_version}-local-strict"
    all_of = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    found, left = {}, {f"io.k8s.api.{kind}" for kind in kinds}
    while left:
        name = left.pop()
        found[name] = plain(all_of[name])
        left |= references(found[name]) - found.keys()
    return dict(sorted(found.items()))


schemas = {
    "kubernetes": {"$id": identifier, "$defs": kubernetes_definitions()},
    "keda": {kind: keda_schema(kind) for kind in ("ScaledObject", "TriggerAuthentication")},
    "compose": plain(json.loads(compose_schema.read_text(encoding="utf-8"))),
}
# one definition a line, so that a new version can be compared
print(json.dumps(schemas, separators=(",", ":")).replace(',"io.k8s.', ',\n"io.k8s.'))
