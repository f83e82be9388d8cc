"""Laws of the building blocks of networks."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
import torch

from pilotage.core import SettingError
from pilotage.learning import MLP, DropoutMLP, Ensemble, GaussianHead
from pilotage.learning.networks import (
    ConvDecoder,
    ConvEncoder,
    DeepSet,
    GraphNetwork,
    Normalized,
    Recurrent,
    Residual,
    SetAttention,
    Trigonometric,
)
from pilotage.learning.networks.gaussian_head import loss_of
from pilotage.learning.networks.network import described, rebuilt

EDGES = torch.tensor([[0, 1], [1, 2], [2, 0], [3, 1], [1, 0]])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def awake(network: Any, seed: int = 0) -> Any:
    """The same network with weights that are nowhere zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.4 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


BLOCKS: dict[str, Any] = {
    "MLP": (lambda: MLP(3, 2, hidden=(8, 5), seed=4), (drawn(6, 3),)),
    "Ensemble": (lambda: Ensemble(4, 3, 2, hidden=(8, 5)), (drawn(6, 3),)),
    "DropoutMLP": (lambda: DropoutMLP(3, 2, hidden=(8, 5), rate=0.4).eval(), (drawn(6, 3),)),
    "GaussianHead": (lambda: GaussianHead(Ensemble(4, 3, 4, hidden=(5,)), beta=0.5), (drawn(6, 3),)),
    "Residual": (lambda: Residual(MLP(3, 3)), (drawn(6, 3),)),
    "Trigonometric": (lambda: Trigonometric(MLP(5, 2), angles=(0, 2)), (drawn(6, 3),)),
    "Normalized": (lambda: Normalized(MLP(3, 2), 3).measured(3.0 + 2.0 * drawn(50, 3)), (drawn(6, 3),)),
    "ConvEncoder": (lambda: ConvEncoder(2, (16, 19), 5, widths=(3, 4)), (drawn(6, 2, 16, 19),)),
    "ConvDecoder": (lambda: ConvDecoder(3, 2, (16, 19), widths=(3, 4)), (drawn(6, 3),)),
    "GRU": (lambda: Recurrent(3, 2, hidden=7, layers=2), (drawn(6, 9, 3),)),
    "LSTM": (lambda: Recurrent(3, 2, hidden=7, cell="lstm"), (drawn(6, 9, 3),)),
    "DeepSet": (lambda: DeepSet(3, 2, width=8, pool="mean"), (drawn(6, 4, 3),)),
    "SetAttention": (lambda: SetAttention(3, 2, width=8, heads=2), (drawn(6, 4, 3),)),
    "GraphNetwork": (lambda: GraphNetwork(3, 2, width=8), (drawn(6, 4, 3), EDGES)),
}


def same(a: Any, b: Any) -> None:
    """Equal outputs, tensors or tuples of such."""
    for x, y in zip(*((o,) if isinstance(o, torch.Tensor) else o for o in (a, b)), strict=True):
        if isinstance(x, torch.Tensor):
            torch.testing.assert_close(x, y, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize(("make", "given"), BLOCKS.values(), ids=BLOCKS)
def test_settings_and_weights_rebuild_a_network(make: Any, given: Any) -> None:
    network = awake(make())
    again = rebuilt(json.loads(json.dumps(described(network))))
    assert described(again) == described(network)
    again.load_state_dict(network.state_dict())
    same(again.train(network.training)(*given), network(*given))


@pytest.mark.parametrize(("make", "given"), BLOCKS.values(), ids=BLOCKS)
def test_rows_of_a_batch_are_alone(make: Any, given: Any) -> None:
    """Leading axes are a batch, one or several; the caller's random stream does not change; gradients reach all."""
    state = torch.random.get_rng_state()
    network = awake(make())
    assert torch.equal(torch.random.get_rng_state(), state)
    x, rest, heads = given[0], given[1:], isinstance(network, GaussianHead)

    def out(x: torch.Tensor) -> torch.Tensor:
        found = network(x, *rest)
        return found if isinstance(found, torch.Tensor) else torch.cat(found[: heads + 1], -1)

    whole, axis = out(x), 1 if isinstance(network, Ensemble | GaussianHead) else 0
    same(out(x.reshape(2, 3, *x.shape[1:])), whole.reshape(*whole.shape[:axis], 2, 3, *whole.shape[axis + 1 :]))
    same(out(x[2:3]), whole.narrow(axis, 2, 1))
    whole.pow(2).sum().backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu", "mish"])
def test_an_ensemble_is_the_list_of_its_members(activation: Any) -> None:
    settings: Any = {"hidden": (9, 5), "activation": activation}
    network = Ensemble(3, 4, 2, seed=7, **settings)
    for i in range(3):
        torch.testing.assert_close(
            network.member(i).layers[0].weight, MLP(4, 2, seed=7 + i, **settings).layers[0].weight
        )
    awake(network)
    x = drawn(5, 2, 4)
    listed = torch.stack([network.member(i)(x) for i in range(3)])
    torch.testing.assert_close(network(x), listed)
    bounded = Ensemble(3, 4, 2, bounded=True, seed=7, **settings)
    bounded.load_state_dict(network.state_dict())
    torch.testing.assert_close(bounded(x), listed.tanh())


def test_weights_that_were_saved_member_by_member_are_stacked() -> None:
    network = awake(Ensemble(3, 4, 2, hidden=(9, 5)))
    members = torch.nn.ModuleList(network.member(i) for i in range(3))
    old = {f"members.{name}": value for name, value in members.state_dict().items()}
    assert "members.2.layers.4.bias" in old
    again = Ensemble(3, 4, 2, hidden=(9, 5))
    again.load_state_dict(old)
    torch.testing.assert_close(again(drawn(5, 4)), network(drawn(5, 4)), rtol=0.0, atol=0.0)


def test_ensembles_of_the_first_version_were_bounded() -> None:
    old = {"members": 2, "inputs": 3, "outputs": 1, "hidden": [4], "activation": "tanh", "seed": 0}
    assert rebuilt(old).settings["bounded"]
    assert not Ensemble(2, 3, 1).bounded


def test_a_stack_is_its_network() -> None:
    for network in (MLP(3, 2), Ensemble(4, 3, 2), DropoutMLP(3, 2, rate=0.3, masks=4)):
        awake(network)
        found = network.predict_members(drawn(5, 3))
        torch.testing.assert_close(found, network.predict(drawn(5, 3)).mean)


def test_dropout_trains_with_new_masks_and_predicts_with_fixed_ones() -> None:
    network, x = awake(DropoutMLP(3, 2, hidden=(200,), rate=0.25, masks=6)), drawn(5, 3)
    before = network.predict(x).mean
    assert before.std(0).min() > 0.0
    again = copy.deepcopy(network)
    first, second = network(x), network(x)
    assert not torch.equal(first, second)
    torch.testing.assert_close(again(x), first)  # a copy, or a resumed run, draws the same masks
    torch.testing.assert_close(network.predict(x).mean, before)  # training or not
    torch.testing.assert_close(network.eval()(x), before.mean(0))
    kept = network.stacked()[1][0].ne(0.0).double().mean()
    assert abs(kept - 0.75) < 0.05
    rows = network.train()(x[:1].expand(20_000, 3)).mean(0)  # a mean over masks is the network without them
    torch.testing.assert_close(rows, network.network(x[0]), atol=0.05, rtol=0.0)


def test_dropout_of_nothing_is_the_perceptron() -> None:
    network, x = awake(DropoutMLP(3, 2, rate=0.0, masks=2)), drawn(5, 3)
    for out in (network(x), network.eval()(x), network.predict(x).mean[1]):
        torch.testing.assert_close(out, network.network(x))


def test_the_likelihood_is_that_of_the_normal_distribution() -> None:
    network, x, y = awake(GaussianHead(MLP(3, 4))).eval(), drawn(50, 3), drawn(50, 2, seed=1)
    mean, s = network(x)
    normal = torch.distributions.Normal(mean, (0.5 * s).exp())
    expected = -normal.log_prob(y).mean() - 0.5 * np.log(2.0 * np.pi)
    torch.testing.assert_close(loss_of(network, x, y), expected)
    bounds = 0.01 * (network.high - network.low).sum()
    torch.testing.assert_close(loss_of(network.train(), x, y), expected + bounds)


def test_the_variance_is_within_its_bounds() -> None:
    network = GaussianHead(MLP(3, 4))
    awake(network.body)
    _, s = network(1e3 * drawn(500, 3))
    assert bool((s > network.low).all() and (s < network.high + 1e-4).all())  # softplus(-x) of the lower bound remains
    assert s.max() > network.high.max() - 0.01


def test_beta_keeps_the_likelihood_and_weights_its_gradients() -> None:
    plain, weighted = (awake(GaussianHead(MLP(3, 4), beta=beta)) for beta in (0.0, 1.0))
    x, y = drawn(20, 3), drawn(20, 2, seed=1)
    torch.testing.assert_close(loss_of(plain.eval(), x, y), loss_of(weighted.eval(), x, y))
    mean, _s = weighted(x)
    weights = list(weighted.body.parameters())
    squared = torch.autograd.grad(0.5 * (mean - y).pow(2).mean(), weights[-1])[0][:2]  # of the means
    loss_of(weighted.train(), x, y).backward()
    torch.testing.assert_close(weights[-1].grad[:2], squared)  # beta = 1: the gradient of least squares


@pytest.mark.parametrize("pool", ["max", "mean", "sum", "attention", "attention with a query"])
def test_sets_have_no_order_and_padding_changes_nothing(pool: Any) -> None:
    query = (drawn(6, 2, seed=3),) if pool.endswith("query") else ()
    settings: Any = {"width": 8, "heads": 2, "query": 2 * len(query)}
    network = awake(SetAttention(3, 2, **settings) if pool.startswith("att") else DeepSet(3, 2, width=8, pool=pool))
    objects, order = drawn(6, 5, 3), torch.tensor([3, 0, 4, 1, 2])
    out = network(objects, None, *query)
    same(network(objects[:, order], None, *query), out)
    junk = torch.cat([objects, 1e3 * drawn(6, 3, 3, seed=2)], 1)
    mask = torch.arange(8).expand(6, 8) < 5
    same(network(junk, mask, *query), out)
    shuffled = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    same(network(junk[:, shuffled], mask[:, shuffled], *query), out)
    with torch.no_grad():
        same(network.eval()(junk, mask, *query), out)
    empty = network(junk, torch.zeros_like(mask), *query)
    assert bool(empty.isfinite().all())
    if not query:
        same(empty, empty[:1].expand_as(empty))


def test_attention_follows_the_order_before_it_pools() -> None:
    network, objects, order = awake(SetAttention(3, 2, width=8, heads=2)), drawn(6, 5, 3), torch.tensor([3, 0, 4, 1, 2])
    h = network.encode(objects)
    same(network.encode(objects[:, order]), h[:, order])
    moved = objects.clone()
    moved[:, 0] += 1.0
    assert (network.encode(moved)[:, 1:] - h[:, 1:]).abs().max() > 1e-3, "objects see each other"


def test_a_graph_network_follows_the_order_of_nodes() -> None:
    network = awake(GraphNetwork(3, 2, edge=1, width=8, rounds=2))
    nodes, edges, features = drawn(6, 4, 3), EDGES, drawn(5, 1)
    out = network(nodes, edges, features)
    order = torch.tensor([2, 0, 3, 1])  # new node i is old node order[i]
    same(network(nodes[:, order], order.argsort()[edges], features), out[:, order])
    shuffled = torch.tensor([4, 2, 0, 1, 3])
    same(network(nodes, edges[shuffled], features[shuffled]), out)
    padded = network(torch.cat([nodes, drawn(6, 2, 3, seed=5)], 1), edges, features)
    same(padded[:, :4], out)


def test_a_message_goes_as_far_as_there_are_rounds() -> None:
    line = torch.tensor([[0, 1], [1, 2], [2, 3]])
    nodes = drawn(4, 3)
    moved = nodes.clone()
    moved[0] += 1.0
    network = awake(GraphNetwork(3, 1, width=8, rounds=2))
    reached = (network(moved, line) - network(nodes, line)).abs().sum(-1) > 0.0
    assert reached.tolist() == [True, True, True, False]


@pytest.mark.parametrize("size", [(8, 8), (16, 19), (33, 21)])
def test_a_decoder_inverts_the_shapes_of_an_encoder(size: Any) -> None:
    encoder, decoder = ConvEncoder(3, size, 7, widths=(4, 5, 6)), ConvDecoder(7, 3, size, widths=(4, 5, 6))
    image = drawn(2, 4, 3, *size)
    assert encoder(image).shape == (2, 4, 7)
    assert decoder(encoder(image)).shape == image.shape
    shapes = [h.shape for h in _heights(encoder.convolutions, image[0])]
    assert [h.shape for h in _heights(decoder.convolutions, drawn(4, *decoder.first))] == shapes[::-1]


def _heights(layers: Any, h: torch.Tensor) -> list[torch.Tensor]:
    found = [h]
    for layer in layers:
        h = layer(h)
        found += [h] if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) else []
    return found


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_one_step_at_a_time_is_the_whole_sequence(kind: Any) -> None:
    network, xs = awake(Recurrent(3, 2, hidden=7, cell=kind, layers=2)), drawn(6, 9, 3)
    whole, _ = network(xs)
    state, steps = None, []
    for t in range(9):
        y, state = network(xs[:, t : t + 1], state)
        steps.append(y)
    same(torch.cat(steps, 1), whole)


def test_inputs() -> None:
    turn, x = awake(Trigonometric(MLP(4, 2), angles=(1,))), drawn(5, 3)
    same(turn(x + 2.0 * np.pi * torch.tensor([0.0, 1.0, 0.0]).double()), turn(x))
    same(turn(x), turn.network(torch.stack([x[:, 0], x[:, 2], x[:, 1].cos(), x[:, 1].sin()], -1)))
    data = 3.0 + 2.0 * drawn(50, 3)
    normal = awake(Normalized(MLP(3, 2), 3)).measured(data)
    same(normal(data), normal.network((data - data.mean(0)) / data.std(0, correction=0)))
    same(Residual(MLP(3, 3))(x), x)
    same(awake(Residual(MLP(3, 3)))(x), x + awake(MLP(3, 3))(x))


def test_single_precision_stays_single() -> None:
    assert awake(MLP(3, 2)).float()(drawn(5, 3).float()).dtype == torch.float32
    head = GaussianHead(Ensemble(2, 3, 4)).float()
    assert head(drawn(5, 3).float()).log_variance.dtype == torch.float32


WRONG: dict[str, Any] = {
    "inputs": (lambda: MLP(0, 2), "inputs of MLP is 0"),
    "hidden": (lambda: Ensemble(2, 3, 2, hidden=(4, 0)), "hidden of Ensemble"),
    "activation": (lambda: MLP(3, 2, activation="step"), "activation of MLP is 'step'"),
    "rate": (lambda: DropoutMLP(3, 2, rate=1.0), "rate of DropoutMLP is 1.0"),
    "body": (lambda: GaussianHead(MLP(3, 3)), "3; expected means"),
    "bounded": (lambda: GaussianHead(Ensemble(2, 3, 4, bounded=True)), "bounded"),
    "residual": (lambda: Residual(MLP(3, 2)), r"\(3, 2\)"),
    "width": (lambda: SetAttention(3, 2, width=9), "width of SetAttention is 9"),
    "size": (lambda: ConvEncoder(1, (4, 9), 2), r"\(4, 9\)"),
    "query": (lambda: SetAttention(3, 2)(drawn(2, 3), None, drawn(2)), "query is given"),
    "name": (lambda: MLP(3, 2, hiden=(3,)), "hiden; did you mean hidden"),
    "kind": (lambda: rebuilt({"kind": "Step"}), "no network 'Step'"),
}


@pytest.mark.parametrize(("wrong", "words"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_named(wrong: Any, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        wrong()
