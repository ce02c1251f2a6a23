"""What every mapping of the file is: frozen, checked, explained by the texts beside its keys."""

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A mapping of the file: frozen, without unknown keys; one left empty has its defaults."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        # So that the relative path in a default starts at the config's folder as well.
        validate_default=True,
        revalidate_instances="always",
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, value: object) -> object:
        return {} if value is None else value
