"""Texts of the manifests of tools/compare/texts.ts."""
import json
import re


def paths_of(manifest):
    """Language -> path of its texts, from the manifest's folder."""
    return dict(re.findall(r"^  (\S+): (\S+)$", manifest.read_text(), re.MULTILINE))


def texts_of(path):
    """The texts of a file of JSON lines. A line ends with a line feed alone: texts hold other separators, at which splitlines() splits."""
    return [json.loads(line)["text"] for line in path.read_text().rstrip("\n").split("\n")]
