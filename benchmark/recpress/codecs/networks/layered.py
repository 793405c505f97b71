"""Networks whose layers have weights: GraphSAGE, GAT, NGCF."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recpress.backbones.catalogue import backbone
from recpress.backbones.config import TrainingConfig
from recpress.codecs.base import Codec, part, prefixed
from recpress.codecs.composite.sparse import Sparse
from recpress.codecs.networks.linear import Network, register_network
from recpress.codecs.packing import unpack
from recpress.codecs.registry import restore
from recpress.codecs.tables.exponent import shift
from recpress.codecs.tables.uniform import Uniform

Activations = Literal["fp32", "int8"]
# What of a training config a forward pass depends on.
FORWARD = ("dim", "layers", "loss", "heads", "inputs")
# The largest code of an activation.
LARGEST = 127


class ByteLinear(nn.Module):
    """``x Wᵀ + b`` with both factors in signed bytes: a grid per row of x, made anew each time, and one per row of W.

    Parameters
    ----------
    weight : Uniform of shape (out, in)
        Symmetric.
    bias : Tensor of shape (out,), optional
    """

    def __init__(self, weight: Uniform, bias: Tensor | None) -> None:
        super().__init__()
        codes = unpack(weight.codes, weight.columns, weight.bits).to(torch.int16) - weight.zero
        self.codes = codes.to(torch.int8).T.contiguous()
        self.scale = shift(weight.scale.float(), weight.exponent).T
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """Return the product, float32 of shape (n, out)."""
        scale = x.abs().amax(1, keepdim=True) / LARGEST
        codes = (x / torch.where(scale == 0, torch.ones_like(scale), scale)).round_().to(torch.int8)
        product = torch._int_mm(codes, self.codes).float().mul_(scale).mul_(self.scale)
        return product if self.bias is None else product.add_(self.bias)


@register_network
@dataclass(frozen=True)
class LayeredNetwork(Network):
    """The forward pass of a backbone with layer weights, each weight stored by a codec.

    Attributes
    ----------
    backbone : str
        Its name.
    config : dict
        The fields of its training config that the forward pass depends on, where they aren't the default.
    weights : dict of str to Codec
        By the name of the parameter. A weight of one dimension is a table of one row.
    activations : {"fp32", "int8"}
        int8: what linear layers read is rounded to bytes too, and their products are sums of byte products.
    """

    kind = "layered"
    backbone: str
    config: dict[str, Any]
    weights: dict[str, Codec]
    activations: Activations = "fp32"

    def final(self, base: Tensor) -> Tensor:
        """See `Network.final`."""
        net = backbone(self.backbone).build(self.graph(), TrainingConfig(**self.config), torch.Generator())
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                value = base if name == "base" else self.weights[name].decode()
                if value.numel() != parameter.numel():
                    raise ValueError(f"{name} of {self.backbone} has {parameter.numel()} values, not {value.numel()}")
                parameter.copy_(value.view_as(parameter))
            if self.activations == "int8":
                self._use_bytes(net)
            net.eval()
            return net.final().detach()

    def _use_bytes(self, net: nn.Module) -> None:
        for name, module in list(net.named_modules()):
            if isinstance(module, nn.Linear):
                weight = self.weights[f"{name}.weight"]
                if not isinstance(weight, Uniform) or weight.offset is not None:
                    raise ValueError(f"{name}.weight must be on a symmetric grid to be multiplied in bytes")
                net.set_submodule(name, ByteLinear(weight, module.bias))

    def options(self) -> dict[str, Any]:
        """See `Network.options`."""
        weights = {name: codec.spec() for name, codec in self.weights.items()}
        return {
            "backbone": self.backbone,
            "recipe": self.config,
            "activations": self.activations,
            "weights": weights,
        }

    def stored(self) -> dict[str, Tensor]:
        """See `Network.stored`."""
        found: dict[str, Tensor] = {}
        for name, codec in self.weights.items():
            found |= prefixed(f"weights.{name}", codec.tensors())
        return found

    def own_breakdown(self) -> Counter[str]:
        """See `Network.own_breakdown`: the values of a weight are ``weights``, its scales ``scales``."""
        found: Counter[str] = Counter()
        for codec in self.weights.values():
            found += codec.breakdown()
        found["weights"] = found.pop("values", 0)
        return found

    @classmethod
    def restore(cls, edges: Sparse, options: dict[str, Any], tensors: dict[str, Tensor]) -> LayeredNetwork:
        """See `Network.restore`."""
        if options["activations"] not in ("fp32", "int8"):
            raise ValueError(f"activations are fp32 or int8, not {options['activations']!r}")
        weights = {name: restore(spec, part(f"weights.{name}", tensors)) for name, spec in options["weights"].items()}
        return cls(
            edges, bool(options["bipartite"]), options["backbone"], options["recipe"], weights, options["activations"]
        )

    def nominal(self) -> int:
        """Count the weights."""
        return sum(codec.nominal() for codec in self.weights.values())

    def nonzero(self) -> int:
        """Count the weights that aren't zero."""
        return sum(codec.nonzero() for codec in self.weights.values())
