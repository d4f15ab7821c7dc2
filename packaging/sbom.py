#!/usr/bin/env python3
"""CycloneDX 1.5 (JSON) of the crates that the programs are built from, on standard output.

Reads `cargo metadata` (what is in the build) and Cargo.lock (digests of what was downloaded). Nothing of the
build machine is in it, so that the same source gives the same file.
"""
import json
import subprocess
import tomllib

SHIPPED = ["rampart", "preload"]

lock = tomllib.load(open("Cargo.lock", "rb"))
digests = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}
words = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform"]
metadata = json.loads(subprocess.check_output(words + ["x86_64-unknown-linux-gnu"]))
packages = {p["id"]: p for p in metadata["packages"]}
nodes = {n["id"]: n for n in metadata["resolve"]["nodes"]}


def needs(node):
    """Ids of what a package is built from and with; not of its tests."""
    kinds = [(d["pkg"], {k["kind"] for k in d["dep_kinds"]}) for d in node["deps"]]
    return [package for package, kind in kinds if kind - {"dev"}]


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


found, todo = set(), [i for i, p in packages.items() if p["name"] in SHIPPED and p["source"] is None]
while todo:
    one = todo.pop()
    if one not in found:
        found.add(one)
        todo.extend(needs(nodes[one]))

components, dependencies = [], []
for package in sorted((packages[i] for i in found), key=reference):
    component = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package["license"]:
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    digest = digests.get((package["name"], package["version"]))
    if digest:
        component["hashes"] = [{"alg": "SHA-256", "content": digest}]
    components.append(component)
    on = sorted(reference(packages[i]) for i in needs(nodes[package["id"]]))
    dependencies.append({"ref": reference(package), "dependsOn": on})

version = next(p["version"] for p in metadata["packages"] if p["name"] == "rampart")
print(json.dumps({
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "metadata": {"component": {"type": "application", "bom-ref": "rampart", "name": "rampart", "version": version}},
    "components": components,
    "dependencies": dependencies,
}, indent=1))
