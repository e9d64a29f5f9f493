"""What a plan may say: the models that validate a plan file and from which its JSON Schema is made.

Handed plain values (dicts, lists, scalars); hands on a frozen `Plan`. What always holds: every key has a description,
unknown keys are refused, and a step has exactly one source of rows.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, description="Letters, digits and underscores, not beginning with a digit.")]
_NAMED = Field(json_schema_extra={"additionalProperties": False})
Sql = Annotated[str, Field(min_length=1, description="A SQL expression in the plan's dialect; `:name` is a parameter.")]


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Expressions = Annotated[list[Sql], BeforeValidator(_listed, json_schema_input_type=Sql | list[Sql])]
Paths = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
]
Texts = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Relations = Annotated[
    list[str], Field(min_length=2, description="Two or more steps or inputs with the same number of columns.")
]


TAGS = ("<map>", "<text>")
"""What stands in the locations of errors for the shape of a named item; it is no key of the plan."""


def _shape(value: Any) -> str:
    return "<map>" if isinstance(value, dict) else "<text>"


NamedItem = Annotated[
    Annotated[Sql, Tag("<text>")] | Annotated[dict[str, Sql], Tag("<map>"), Field(min_length=1)],
    Discriminator(_shape),
]
NamedItems = Annotated[list[NamedItem], BeforeValidator(_listed, json_schema_input_type=Sql | dict[str, Sql] | list[NamedItem])]


class Model(BaseModel):
    """What all models here share: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


def refuse(message: str, key: str | None = None, hint: str | None = None) -> PydanticCustomError:
    """An error of a validator; `key` says where in the map it is."""
    context = {"key": key or "", "hint": hint or "", "text": message}
    return PydanticCustomError("plan", "{text}", context)


def _constant(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise refuse("a constant must be text, a number, a boolean or null")


def _count(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or (isinstance(value, str) and value.startswith(":")):
        return value
    raise refuse(
        "a count of rows must be a whole number, not negative", hint='for instance 10, or ":name" for an int parameter'
    )


Constant = Annotated[Any, BeforeValidator(_constant, json_schema_input_type=str | int | float | bool | None)]
Count = Annotated[
    Any, BeforeValidator(_count, json_schema_input_type=Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern="^:")])
]

ParamType = Literal["int", "float", "string", "date", "timestamp", "bool", "decimal", "path"]


class Param(Model):
    """A typed parameter. `month: 6` is short for `month: {default: 6}`."""

    type: ParamType | None = Field(None, description="The type; told by the default when it is not given.")
    default: Constant = Field(None, description="The value when none is given.")
    required: bool = Field(False, description="Whether a value must be given; then there is no default.")
    description: str | None = Field(None, description="What the parameter means, for people.")
    enum: list[Constant] | None = Field(None, min_length=1, description="The only values allowed.")
    min: Constant = Field(None, description="The least value allowed.")
    max: Constant = Field(None, description="The greatest value allowed.")

    @model_validator(mode="after")
    def _complete(self) -> Param:
        if self.required and self.default is not None:
            raise refuse("a required parameter has no default", "default", "remove one of required and default")
        if self.type is None and self.default is None:
            raise refuse("a parameter needs a type or a default", hint="for instance {type: date, required: true}")
        return self


def _param(value: Any) -> Any:
    return {"default": value} if isinstance(value, str | int | float) else value


ParamEntry = Annotated[Param, BeforeValidator(_param, json_schema_input_type=Param | str | int | float | bool)]

FORMATS = ("parquet", "csv", "json", "arrow")


OPTIONS = ("delimiter", "quote", "escape", "header", "nulls", "skip", "types", "columns", "all_varchar")
"""The options of inputs; all are CSV's."""


def _one_of(keys: tuple[str, ...]) -> dict[str, Any]:
    return {"oneOf": [{"required": [key]} for key in keys]}


class Input(Model):
    """Where an input's rows are: files of one format, or a table that the session has registered."""

    model_config = ConfigDict(json_schema_extra=_one_of((*FORMATS, "table")))

    parquet: Paths | None = Field(
        None, description="Parquet: a file, folder, glob, hive-partitioned folder or s3:// URL, or a list."
    )
    csv: Paths | None = Field(None, description="CSV: a file, folder, glob or s3:// URL, or a list of them.")
    json_: Paths | None = Field(
        None, alias="json", description="JSON lines: a file, folder, glob or s3:// URL, or a list of them."
    )
    arrow: Paths | None = Field(
        None, description="Arrow IPC, file or stream: a file, folder, glob or s3:// URL, or a list of them."
    )
    table: str | None = Field(None, min_length=1, description="The name of a table or view registered in the session.")
    delimiter: str | None = Field(
        None, min_length=1, description="CSV: the character between values, or tab; found out by default."
    )
    quote: str | None = Field(None, description='CSV: the character around values that hold the delimiter; " by default.')
    escape: str | None = Field(None, description="CSV: the character before a quote in a value; a doubled quote by default.")
    header: bool | None = Field(None, description="CSV: whether the first line names the columns; found out by default.")
    nulls: Texts | None = Field(
        None, description="CSV: the texts that mean NULL; '' and, outside of text columns, NA by default."
    )
    skip: int | None = Field(None, ge=0, description="CSV: lines to leave out at the beginning.")
    types: dict[str, str] | None = Field(None, description="CSV: SQL types of some columns; the others are found out.")
    columns: dict[str, str] | None = Field(
        None, description="CSV: names and SQL types of all columns, whatever the header says."
    )
    all_varchar: bool | None = Field(None, description="CSV: whether all columns are text.")
    storage: dict[str, Constant] | None = Field(
        None, description="s3:// paths: options such as region, endpoint_override, access_key, secret_key, anonymous."
    )
    file: Literal["local", "nodes"] | None = Field(
        None,
        description="Whose files the paths mean on a mesh: those of who runs the plan (local: uploaded first), or the nodes'.",
    )
    description: str | None = Field(None, description="What the rows are, for people.")

    @model_validator(mode="after")
    def _one_source(self) -> Input:
        given = [key for key in (*FORMATS, "table") if getattr(self, "json_" if key == "json" else key) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "says not where its rows are"
            raise refuse(
                f"the input {what}", given[-1] if given else None, "give exactly one of parquet, csv, json, arrow, table"
            )
        for key in self.options():
            if given[0] != "csv":
                raise refuse(f"{key} is an option of csv, not of {given[0]}", key)
        if given[0] == "table" and self.storage is not None:
            raise refuse("storage is for files, not for a table of the session", "storage")
        if given[0] == "table" and self.file is not None:
            raise refuse("file says whose files are meant, and a table of the session is none", "file")
        return self

    def source(self) -> tuple[str, list[str]]:
        """The format and its paths, or "table" and the table's name."""
        for kind, paths in (("parquet", self.parquet), ("csv", self.csv), ("json", self.json_), ("arrow", self.arrow)):
            if paths is not None:
                return kind, paths
        return "table", [self.table or ""]

    def options(self) -> dict[str, str]:
        """The format's options, as texts."""
        given = {key: getattr(self, key) for key in OPTIONS}
        return {
            key: json.dumps(value) if isinstance(value, list | dict) else str(value)
            for key, value in given.items()
            if value is not None
        }


JoinKind = Literal["inner", "left", "right", "full", "semi", "anti", "cross"]


class Join(Model):
    """One join of a step."""

    with_: str = Field(alias="with", min_length=1, description="The step or input to join; `name as alias` renames it.")
    on: Expressions | None = Field(None, description="Column names that both sides have, or SQL conditions (all must hold).")
    how: JoinKind = Field(
        "inner", description="The kind of join; semi and anti only keep or drop rows, cross takes every pair."
    )

    @model_validator(mode="after")
    def _condition(self) -> Join:
        if self.how == "cross" and self.on is not None:
            raise refuse("a cross join takes every pair, so it has no on", "on", "remove on, or use how: inner")
        if self.how != "cross" and self.on is None:
            raise refuse(
                "a join needs on", hint="name the columns that both sides have, or a condition; how: cross takes every pair"
            )
        return self


class SetInputs(Model):
    """Inputs of a union, intersect or except with its treatment of duplicates."""

    model_config = ConfigDict(json_schema_extra=_one_of(("all", "distinct")))

    all: Relations | None = Field(None, description="Keep duplicates.")
    distinct: Relations | None = Field(None, description="Drop duplicates, as a plain list does.")

    @model_validator(mode="after")
    def _one(self) -> SetInputs:
        if (self.all is None) == (self.distinct is None):
            raise refuse("give either all or distinct", hint="for instance union: {all: [first, second]}")
        return self


def _set_inputs(value: Any) -> Any:
    return {"distinct": value} if isinstance(value, list) else value


SetEntry = Annotated[SetInputs, BeforeValidator(_set_inputs, json_schema_input_type=SetInputs | Relations)]
SOURCES = ("from", "sql", "values", "union", "intersect", "except")


class Step(Model):
    """One step: a SELECT in relational keys, or `sql`. Its rows can be read by other steps under its name."""

    model_config = ConfigDict(json_schema_extra=_one_of(SOURCES))

    description: str | None = Field(None, description="What the step does, for people.")
    from_: str | None = Field(
        None, alias="from", min_length=1, description="The step or input to read; `name as alias` renames it."
    )
    join: Annotated[list[Join], BeforeValidator(_listed, json_schema_input_type=Join | list[Join])] | None = Field(
        None, description="One join or a list of joins, done in order."
    )
    where: Expressions | None = Field(None, description="A condition on the rows read, or a list that must all hold.")
    group_by: NamedItems | None = Field(None, description="Grouping columns or expressions (`expr as name` or {name: expr}).")
    aggregate: NamedItems | None = Field(None, description="Aggregates a group: {name: expr}, or `expr as name`.")
    having: Expressions | None = Field(None, description="A condition on the groups; may name the aggregates.")
    select: NamedItems | None = Field(
        None,
        description='Output columns: `expr`, `expr as name`, {name: expr} or "*"; in a grouped step over its groups.',
    )
    distinct: bool = Field(False, description="Whether to drop duplicate rows.")
    order_by: Expressions | None = Field(None, description="Sort keys, each with asc or desc, nulls first or nulls last.")
    limit: Count = Field(None, description='How many rows to keep, or ":name" of an int parameter.')
    offset: Count = Field(None, description='How many rows to skip first, or ":name" of an int parameter.')
    union: SetEntry | None = Field(None, description="The rows of all these steps or inputs; a plain list drops duplicates.")
    intersect: SetEntry | None = Field(None, description="The rows that all these steps or inputs have.")
    except_: SetEntry | None = Field(None, alias="except", description="The rows of the first that the others do not have.")
    values: list[dict[str, Constant]] | None = Field(None, min_length=1, description="Constant rows, each {column: value}.")
    sql: str | None = Field(None, min_length=1, description="A whole SQL query over steps and inputs.")

    def given(self) -> tuple[str, ...]:
        """The keys that the plan wrote, as written there."""
        fields = type(self).model_fields
        return tuple(fields[name].alias or name for name in fields if name in self.model_fields_set)

    @model_validator(mode="after")
    def _consistent(self) -> Step:
        given = [key for key in self.given() if getattr(self, attribute(key)) is not None]
        sources = [key for key in SOURCES if key in given]
        if not sources:
            raise refuse("the step reads nothing", hint=f"give one of {', '.join(SOURCES)}")
        if len(sources) > 1:
            raise refuse(f"the step has both {sources[0]} and {sources[1]}", sources[1], "make them two steps")
        if "sql" in sources:
            extra = [key for key in given if key not in ("sql", "description")]
            if extra:
                raise refuse(f"a step with sql has no {extra[0]}", extra[0], "put it into the SQL text, or into a next step")
        if self.join is not None and self.from_ is None:
            raise refuse("join needs from", "join")
        if self.having is not None and self.group_by is None and self.aggregate is None:
            raise refuse("having needs group_by or aggregate", "having", "use where to filter rows")
        return self


def attribute(key: str) -> str:
    """The Python name of a key."""
    return f"{key}_" if key in ("from", "except", "with", "json") else key


class Write(Model):
    """Where the output goes."""

    model_config = ConfigDict(json_schema_extra=_one_of(FORMATS))

    parquet: str | None = Field(None, min_length=1, description="A Parquet file, or with a slash at its end a folder.")
    csv: str | None = Field(None, min_length=1, description="A CSV file, or with a slash at its end a folder.")
    json_: str | None = Field(
        None, alias="json", min_length=1, description="A JSON lines file, or with a slash at its end a folder."
    )
    arrow: str | None = Field(None, min_length=1, description="An Arrow IPC file, or with a slash at its end a folder.")
    to: Literal["nodes", "client"] = Field(
        "nodes", description="Where the files land on a mesh: on its nodes' storage, or with who runs the plan (client)."
    )

    @model_validator(mode="after")
    def _one(self) -> Write:
        if len(self.targets()) != 1:
            raise refuse("write takes exactly one format", hint="for instance {parquet: out/}")
        return self

    def targets(self) -> list[tuple[str, str]]:
        """Format and path; exactly one after validation."""
        paths = {"parquet": self.parquet, "csv": self.csv, "json": self.json_, "arrow": self.arrow}
        return [(kind, path) for kind, path in paths.items() if path is not None]


class Settings(Model):
    """Settings of a plan; all have defaults."""

    dialect: str = Field("duckdb", min_length=1, description="The SQL dialect of all expressions: any that sqlglot knows.")
    partitions: int | None = Field(
        None, ge=1, le=4096, description="Tasks of a partitioned stage; as many as threads by default."
    )


class Plan(Model):
    """A flightmesh plan: inputs, steps over them, and an output."""

    plan: str | None = Field(None, min_length=1, description="The plan's name, for people.")
    description: str | None = Field(None, description="What the plan answers, for people.")
    params: Annotated[dict[Name, ParamEntry], _NAMED] = Field(
        default_factory=dict, description="Typed parameters: name to default, or to a map."
    )
    inputs: Annotated[dict[Name, Input], _NAMED] = Field(
        default_factory=dict, description="Named inputs: files or registered tables."
    )
    steps: Annotated[dict[Name, Step], _NAMED] = Field(
        min_length=1, description="Named steps; they read inputs and one another, in any order."
    )
    output: str | None = Field(None, description="The step whose rows are the result; the last step by default.")
    write: Write | None = Field(None, description="Write the result to files instead of handing it back.")
    settings: Settings = Field(default_factory=lambda: Settings.model_validate({}), description="How the plan is read and run.")
