"""The configuration: closed, documented, and checked before anything runs.

``python -m scripts.common.configuration`` prints the table of keys of config/README.md.
"""

import difflib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from yaml import SafeLoader

from scripts.common.errors import UserError
from scripts.common.fetched import locked, read_lock
from scripts.common.weight_files import parts_of

SHEET_NAMES = ("generators", "annotators", "dimensions", "detectors", "tracers", "sources")


RERANKER = "trace.reranker"


def read_sheets(folder: Path) -> dict[str, dict[str, dict]]:
    """Return every sheet of ``config/``: name -> entry -> fields, each checked.

    Revisions and checksums are those of what was fetched (``scripts.common.fetched``).

    Raises:
        UserError: a sheet is missing, or an entry has a key that no entry may have.
    """
    schema = _read_yaml(folder / "schemas" / "sheet.schema.yaml")
    sheets, lock = {}, read_lock(folder / "fetched.json")
    for name in SHEET_NAMES:
        path = folder / f"{name}.yaml"
        sheets[name] = deepcopy(_read_yaml(path) or {})
        for entry, fields in sheets[name].items():
            _check(fields, schema, where=f"{path.name}: {entry}")
            if "weights" in fields:
                weights = locked(fields["weights"], lock)
                sheets[name][entry] = fields | {"weights": weights}
            for part, place in parts_of(fields).items():
                fields["settings"]["parts"][part] = locked(place, lock)
    return sheets


def check_configuration(
    config: Mapping[str, Any], sheets: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Check the configuration against its schema, and each name in it against its sheet.

    Raises:
        UserError: one sentence with the key at fault and the nearest right one.
    """
    schema = _read_yaml(folder / "schemas" / "config.schema.yaml")
    _check(config, schema, where="configuration")
    for key, sheet, name in _sheet_names(config, schema, schema):
        if name not in sheets[sheet]:
            raise UserError(
                f"configuration: {key} names '{name}', which config/{sheet}.yaml does not have"
                f"{_nearest(name, sheets[sheet])}"
            )
        if sheet == "tracers" and ("compares" in sheets[sheet][name]) != (key == RERANKER):
            fit = [one for one, fields in sheets[sheet].items() if "compares" in fields]
            raise UserError(
                f"configuration: {key} names '{name}', and "
                + (f"what compares pairs is: {', '.join(fit)}" if key == RERANKER else
                   f"that describes no picture: it can be the {RERANKER}")
            )  # fmt: skip
    if config["source"] == "release" and config["start"] in ("annotate", "generate"):
        raise UserError(
            f"configuration: start is {config['start']}, which a release takes part in: with source "
            "release, start at curate, or at split or a later stage"
        )
    for name in config["generate"]["generators"]:
        entry = sheets["generators"][name]
        if config["source"] == "release" and "released" in entry:
            continue
        if "backend" not in entry and (config["source"] == "release" or not entry.get("scraped")):
            raise UserError(
                f"configuration: generate.generators names '{name}', which has no backend in "
                "config/generators.yaml; take it off the list, or give the entry one"
                + (", or use its released videos (source: release)" if "released" in entry else "")
            )


def wanted_entries(
    config: Mapping[str, Any],
    sheets: Mapping[str, Mapping[str, Any]],
    folder: Path,
    under: tuple[str, ...] = ("",),
) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the entries that a configuration uses under some keys: (sheet, name) -> entry."""
    schema = _read_yaml(folder / "schemas" / "config.schema.yaml")
    found = _sheet_names(config, schema, schema)
    return {
        (sheet, name): sheets[sheet][name] for key, sheet, name in found if key.startswith(under)
    }


def describe_keys(folder: Path) -> str:
    """Return a Markdown table of all keys: type, the paper's value, meaning."""
    schema = _read_yaml(folder / "schemas" / "config.schema.yaml")
    defaults = _read_yaml(folder / "config.yaml")
    lines = ["| key | type | the paper's value | meaning |", "|---|---|---|---|"]
    for key, field in _leaves(schema, schema):
        value: Any = defaults
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n")
        shown = "" if value is None else f"`{text.strip()}`"
        kind = field.get("type") or "one of " + ", ".join(map(str, field["enum"]))
        kind = kind if isinstance(kind, str) else " or ".join(kind)
        lines.append(f"| `{key}` | {kind} | {shown} | {field['description']} |")
    return "\n".join(lines) + "\n"


def _check(value: Any, schema: Mapping, where: str) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(
        validator.iter_errors(value), key=lambda fault: (-len(fault.absolute_path),)
    )
    if error is None:
        return
    key = [str(part) for part in error.absolute_path]
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        wrong = next(name for name in error.instance if name not in known)
        full = ".".join([*key, wrong])
        raise UserError(f"{where}: there is no key '{full}'{_nearest(wrong, known)}")
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        full = ".".join([*key, missing])
        raise UserError(f"{where}: the key '{full}' is missing; see config/README.md")
    place = ": ".join(filter(None, [where, ".".join(key)]))
    raise UserError(f"{place} is {error.instance!r}: {error.message}; see config/README.md")


def _nearest(wrong: str, known: Mapping | list) -> str:
    near = difflib.get_close_matches(str(wrong), list(known), n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; it may be one of: {', '.join(sorted(known))}" if known else ""


def _resolve(field: Mapping, root: Mapping) -> Mapping:
    if "$ref" in field:
        return root["$defs"][field["$ref"].rpartition("/")[2]]
    return field


def _sheet_names(
    value: Any, schema: Mapping, root: Mapping, key: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield (key, sheet, name) for every value that names an entry of a sheet."""
    schema = _resolve(schema, root)
    if "sheet" in schema:
        if value is not None:
            yield key, schema["sheet"], value
    elif isinstance(value, dict):
        for name, child in value.items():
            inner = schema.get("properties", {}).get(name, {})
            yield from _sheet_names(child, inner, root, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for child in value:
            yield from _sheet_names(child, schema.get("items", {}), root, key)


def _leaves(schema: Mapping, root: Mapping, key: str = "") -> Iterator[tuple[str, Mapping]]:
    for name, field in schema.get("properties", {}).items():
        field = _resolve(field, root)
        full = f"{key}.{name}".lstrip(".")
        if "properties" in field:
            yield from _leaves(field, root, full)
        else:
            yield full, field


@cache
def _read_yaml(path: Path) -> Any:
    return read_yaml(path)


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds, of plain types only.

    Raises:
        UserError: it is missing, or is no YAML.
    """
    try:
        # By libyaml, where PyYAML has it: the sheets took a third of the time of a plan.
        return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", SafeLoader))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; restore it from the repository") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None


if __name__ == "__main__":
    print(describe_keys(Path(__file__).resolve().parents[2] / "config"), end="")
