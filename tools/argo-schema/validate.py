"""Validates Workflows against the JSON schema of Argo Workflows, and refuses keys that it does not have.

usage: validate.py SCHEMA WORKFLOW.yaml...
  SCHEMA   api/jsonschema/schema.json of a version of github.com/argoproj/argo-workflows

Needs the packages jsonschema (4 or later) and PyYAML.
"""

import json
import sys

import jsonschema
import yaml

schema_path, *workflows = sys.argv[1:]
with open(schema_path, encoding="utf-8") as file:
    schema = json.load(file)
for definition in schema["definitions"].values():
    # the schema accepts unknown keys: a misspelt one would not be noticed
    if "properties" in definition:
        definition.setdefault("additionalProperties", False)
validator = jsonschema.Draft202012Validator(
    {
        "$schema": schema["$schema"],
        "definitions": schema["definitions"],
        "$ref": "#/definitions/io.argoproj.workflow.v1alpha1.Workflow",
    }
)
faults = 0
for path in workflows:
    with open(path, encoding="utf-8") as file:
        workflow = yaml.safe_load(file)
    for error in validator.iter_errors(workflow):
        faults += 1
        print(f"{path}: {'.'.join(map(str, error.path))}: {error.message}")
    print(f"{path}: {len(workflow['spec']['templates'])} templates read")
sys.exit(1 if faults else 0)
