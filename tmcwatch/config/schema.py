"""The JSON schema of the configuration, for editors and for checks without tmcwatch."""

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tmcwatch.config.durations import PATTERN, duration_text
from tmcwatch.config.receivers import config_model

SHIPPED_KINDS = frozenset({"alertmanager", "apprise", "log", "services_api", "tallyfy", "webhook"})


class _WithOurDurations(GenerateJsonSchema):
    """Durations are written `10s` here, not in ISO 8601, also in the options of notifiers."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        del schema
        return {"type": "string", "pattern": PATTERN}

    def encode_default(self, dft: object) -> Any:  # noqa: ANN401 - pydantic's signature
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Answer with the schema for the kinds of notifiers that tmcwatch ships."""
    model = config_model(SHIPPED_KINDS)
    schema = model.model_json_schema(schema_generator=_WithOurDurations)
    # Their model turns a bare list into a mapping before the schema of its fields applies.
    bare_list = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    of_receiver = schema["$defs"]["Receiver"]["properties"]
    of_receiver["apprise"]["anyOf"].insert(0, bare_list)
    # Many a reader of YAML takes `off` for false.
    of_receiver["storm"]["anyOf"][-1] = {"enum": ["off", False, None]}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | schema | {"title": "Configuration of tmcwatch"}
