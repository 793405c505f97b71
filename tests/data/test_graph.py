from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.data import convert
from recpress.data.describe import gini
from recpress.data.graph import Graph, Links
from recpress.data.interactions import UserItems, sorted_unique
from recpress.data.relations import Relation

pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=40)


def user_items(rows, n_users: int = 6, n_items: int = 8) -> UserItems:
    users, items = np.array(rows, np.int64).reshape(-1, 2).T
    return UserItems.from_pairs(users, items, n_users, n_items)


def dense_normalised(a: np.ndarray) -> np.ndarray:
    degree = a.sum(1)
    scale = np.divide(1, np.sqrt(degree), out=np.zeros(len(a)), where=degree > 0)
    return scale[:, None] * a * scale


@settings(deadline=None)
@given(rows=pairs)
def test_adjacency_is_the_normalised_bipartite_matrix(rows) -> None:
    found = Graph(user_items(rows)).adjacency()
    a = np.zeros((14, 14))
    for user, item in rows:
        a[user, 6 + item] = a[6 + item, user] = 1
    assert convert.adjacency_to_scipy(found).toarray() == pytest.approx(dense_normalised(a))
    assert (found.indptr.dtype, found.indices.dtype, found.weights.dtype) == (np.int32, np.int32, np.float32)
    for node in range(14):
        assert (np.diff(found.indices[found.indptr[node] : found.indptr[node + 1]]) > 0).all()


@settings(deadline=None)
@given(rows=pairs)
def test_adjacency_of_an_item_item_graph_is_symmetric(rows) -> None:
    found = Graph(user_items(rows, 8, 8), bipartite=False).adjacency()
    a = np.zeros((8, 8))
    for user, item in rows:
        a[user, item] = a[item, user] = 1
    assert convert.adjacency_to_scipy(found).toarray() == pytest.approx(dense_normalised(a))


@settings(deadline=None)
@given(rows=pairs, ends=st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), max_size=20))
def test_links_are_edges_like_interactions(rows, ends) -> None:
    links = Links(np.array(ends, np.int64).reshape(-1, 2).T, n_added=3)
    graph = Graph(user_items(rows), links=links)
    assert (graph.n_nodes, graph.n_users, graph.n_items) == (17, 6, 8)
    a = np.zeros((17, 17))
    for first, second in [(user, 6 + item) for user, item in rows] + ends:
        a[first, second] = a[second, first] = 1
    found = graph.adjacency()
    assert convert.adjacency_to_scipy(found).toarray() == pytest.approx(dense_normalised(a))
    assert (found.indptr.dtype, found.indices.dtype) == (np.int32, np.int32)


def test_an_item_item_graph_has_no_links() -> None:
    with pytest.raises(ValueError, match="no other edges"):
        Graph(user_items([], 8, 8), bipartite=False, links=Links(np.zeros((2, 0), np.int64)))


def test_an_item_item_graph_has_one_set_of_nodes() -> None:
    with pytest.raises(ValueError, match="as many users as items"):
        Graph(user_items([]), bipartite=False)


@settings(deadline=None)
@given(rows=pairs)
def test_transposed_twice_is_the_same(rows) -> None:
    graph = Graph(user_items(rows))
    assert Graph(graph.item_users()).item_users().sha256() == graph.user_items.sha256()


@given(st.lists(st.integers(-9, 9), max_size=50))
def test_sorted_unique(values) -> None:
    assert sorted_unique(np.array(values, np.int64)).tolist() == sorted(set(values))


def test_scipy_shares_memory() -> None:
    graph = Graph(user_items([(0, 1), (1, 0), (1, 3)]))
    matrix = convert.to_scipy(graph)
    assert np.shares_memory(matrix.indices, graph.user_items.items)
    assert matrix.toarray().sum() == 3
    adjacency = graph.adjacency()
    sparse = convert.adjacency_to_scipy(adjacency)
    for ours, theirs in (
        (adjacency.weights, sparse.data),
        (adjacency.indices, sparse.indices),
        (adjacency.indptr, sparse.indptr),
    ):
        assert np.shares_memory(ours, theirs)


GENRES = Relation("item", "has_genre", "genre", np.array([[0, 3], [1, 0]]), np.array(["a", "b"]))
TRUST = Relation("user", "trusts", "user", np.array([[0], [1]]))


def test_pyg_has_typed_edges_and_shares_the_item_ids() -> None:
    graph = Graph(user_items([(0, 1), (1, 0), (1, 3)]))
    data = convert.to_pyg(graph, [GENRES, TRUST])
    data.validate()
    assert set(data.edge_types) == {
        ("user", "rates", "item"),
        ("item", "rev_rates", "user"),
        ("item", "has_genre", "genre"),
        ("user", "trusts", "user"),
    }
    assert (data["user"].num_nodes, data["item"].num_nodes, data["genre"].num_nodes) == (6, 8, 2)
    assert data["user", "rates", "item"].edge_index.tolist() == [[0, 1, 1], [1, 0, 3]]
    assert data["item", "rev_rates", "user"].edge_index.tolist() == [[1, 0, 3], [0, 1, 1]]
    columns = data["user", "rates", "item"].adj.col_indices().numpy()
    assert np.shares_memory(columns, graph.user_items.items)


def test_pyg_of_an_item_item_graph_has_one_node_type() -> None:
    data = convert.to_pyg(Graph(user_items([(0, 1)], 8, 8), bipartite=False))
    assert data.node_types == ["item"]


def test_dgl_has_the_same_edges() -> None:
    pytest.importorskip("dgl")
    graph = Graph(user_items([(0, 1), (1, 0), (1, 3)]))
    found = convert.to_dgl(graph, [GENRES, TRUST])
    assert found.num_nodes("user") == 6
    assert found.num_nodes("genre") == 2
    users, items = found.edges(etype="rates", order="eid")
    assert sorted(zip(users.tolist(), items.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 3)]
    assert found.num_edges("trusts") == 1


def test_gini() -> None:
    assert gini(np.array([3, 3, 3])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 4])) == pytest.approx(0.75)
    assert gini(np.array([1, 3])) == pytest.approx(0.25)
    assert gini(np.zeros(3, np.int64)) == 0
