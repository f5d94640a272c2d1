"""The trials of a search for a base model: base trainings of the same length, on the same posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from django.utils.translation import gettext as _

from botfactory.words.translation import translated
from models_app.bases import services
from models_app.bases.services import BaseError, Budget
from models_app.bots.rows import TrainedModel
from models_app.ml.config import NetworkConfig, PretrainConfig, vocabulary_to_learn
from models_app.ml.networks.registry import Network, config_of, small_network
from models_app.search import space as spaces
from models_app.search.space import BadSpace, Value, types_of

#: How often each trial validates, evenly over its length; it can end early each time.
STEPS: Final = 10
#: The settings of a network that starts from scratch.
SHAPE: Final = ("embedding", "units", "layers", "context_rows", "context_width")
#: That of a glr network besides: how many tokens it learns to read, or 0 for bytes.
VOCABULARY: Final = "vocabulary"
#: Those that the adapter of a pretrained model doesn't have.
_SMALL_ONLY: Final = ("dropout", "optimizer")
_FIXED: Final = ("seed", "validation_minutes")


def kinds(network: Network, *, continued: bool) -> dict[str, type]:
    """Return the settings that trials can vary, each with the type of its values."""
    names = [name for name in (*services.SETTINGS, *services.FINER_SETTINGS) if name not in _FIXED]
    if not isinstance(network, NetworkConfig):
        return types_of(PretrainConfig, [name for name in names if name not in _SMALL_ONLY])
    shape: dict[str, type] = {} if continued else types_of(NetworkConfig, SHAPE)
    if shape and network.kind == "glr":
        shape[VOCABULARY] = int
    return shape | types_of(PretrainConfig, names)


def common(
    network: str, start: TrainedModel | None, budget: Budget, files: Sequence[str], validation: str, corpus: bool
) -> dict[str, Any]:
    """Return what all trials have in common. Raises BaseError for a network that there isn't."""
    shape = config_of(start.network) if start else services.network_named(network)
    return {
        "network": shape.as_dict(),
        "continued": start is not None,
        "budget": budget.as_dict(),
        "files": list(files),
        "validation": validation,
        # Of a corpus, few posts are held out, so all of them count.
        "validation_stride": 1 if corpus else PretrainConfig.auto(shape.kind).validation_stride,
        "steps": STEPS,
    }


def checked(given: Mapping[str, Any], told: Mapping[str, Any]) -> spaces.Space:
    """Return the space. Raises BadSpace."""

    def check(name: str, value: Value) -> None:
        try:
            trained(told, {name: value}, seed=0)
        except BaseError as error:
            raise BadSpace(translated(error)) from error

    space = spaces.parsed(given, kinds(config_of(told["network"]), continued=told["continued"]), check)
    try:
        services.require_memory(*trained(told, spaces.largest_step(space), seed=0))
    except BaseError as error:
        raise BadSpace(translated(error)) from error
    if isinstance(space.get(VOCABULARY), spaces.Range):
        # A range from 0 would have sizes that no vocabulary can have.
        raise BadSpace(_("vocabulary: write a list of choices, such as 0 and 4096."))
    return space


def split(told: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[Network, dict[str, Any]]:
    """Return the network of a trial with these parameters, and its other settings. Raises BadSetting."""
    network = config_of(told["network"])
    shape = {name: value for name, value in parameters.items() if name in SHAPE}
    if size := parameters.get(VOCABULARY):
        network = small_network(network).of_tokens(vocabulary_to_learn(size))
    if shape:
        network = replace(small_network(network), **shape)
    return network, {name: value for name, value in parameters.items() if name not in (*SHAPE, VOCABULARY)}


def trained(told: Mapping[str, Any], parameters: Mapping[str, Any], *, seed: int) -> tuple[Network, PretrainConfig]:
    """Return the network and the settings of a trial. Raises BadSetting or BaseError if they don't go together."""
    network, values = split(told, parameters)
    config = services.recipe(network, Budget(**told["budget"]), values | {"seed": seed}, continued=told["continued"])
    stride = told["validation_stride"]
    return network, replace(config, validations=STEPS, validation_stride=stride)
