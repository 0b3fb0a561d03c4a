"""How a command gets the options that it shares with others. Apart from them, as those of the engine load all of it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def in_place_of(
    name: str, command: Callable[..., int], shared: Callable[..., object], **defaults: object
) -> Callable[..., int]:
    """Give a command the options of `shared` in the place of its parameter `name`, which gets what it makes of them.

    `defaults` are those that this command has otherwise.
    """
    own = inspect.signature(command, eval_str=True)
    options = dict(inspect.signature(shared, eval_str=True).parameters)
    options |= {each: options[each].replace(default=default) for each, default in defaults.items()}

    @functools.wraps(command)
    def with_shared(*arguments: object, **given: object) -> int:
        made = shared(**{each: given.pop(each) for each in options})
        return command(*arguments, **{name: made}, **given)

    parameters: list[inspect.Parameter] = []
    for each, parameter in own.parameters.items():
        parameters += options.values() if each == name else [parameter]
    with_shared.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_shared.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_shared
