"""Real work of packages that bring OpenMP code, for tests and for `bench.openmp`.

Each is a function without arguments that does the work and returns numbers by which two runs can be
compared. A package that is not installed is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

Work = Callable[[], np.ndarray]


def _data(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.standard_normal((rows, columns)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int32)


def _torch() -> Work:
    import torch

    torch.manual_seed(0)
    a, image = torch.randn(256, 256), torch.randn(2, 64, 56, 56)
    net = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 3, padding=1), torch.nn.ReLU(),
                              torch.nn.Conv2d(64, 64, 1), torch.nn.ReLU())

    def work() -> np.ndarray:
        with torch.no_grad():
            return np.array([float((a @ a).abs().sum()), float(net(image).sum()),
                             float(torch.softmax(a, 1).sum()), float(torch.sort(a)[0][0, 0])])

    return work


def _torch_training() -> Work:
    import torch

    x, y = _data(512, 32)
    torch.manual_seed(0)
    start = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))

    def work() -> np.ndarray:
        net = copy.deepcopy(start)
        steps = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(10):
            steps.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(torch.from_numpy(x)),
                                                     torch.from_numpy(y).long())
            loss.backward()
            steps.step()
        return np.array([float(loss.detach())])

    return work


def _hist_gradient_boosting() -> Work:
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = _data(4000, 20)
    return lambda: HistGradientBoostingClassifier(max_iter=15, random_state=0).fit(
        x, y).predict_proba(x)[:50, 1]


def _kmeans() -> Work:
    from sklearn.cluster import KMeans

    x, _ = _data(6000, 16)
    return lambda: np.sort(KMeans(8, n_init=1, max_iter=20, random_state=0).fit(x)
                           .cluster_centers_[:, 0])


def _neighbours() -> Work:
    from sklearn.metrics import pairwise_distances_argmin

    x, _ = _data(2000, 16)
    return lambda: pairwise_distances_argmin(x, x[:200])


def _lightgbm() -> Work:
    import lightgbm

    x, y = _data(4000, 20)
    options = {"objective": "binary", "verbose": -1, "deterministic": True,
               "force_row_wise": True, "seed": 0}

    def work() -> np.ndarray:
        return np.asarray(lightgbm.train(options, lightgbm.Dataset(x, y), 15).predict(x[:50]))

    return work


def _xgboost() -> Work:
    import xgboost

    x, y = _data(4000, 20)
    options = {"objective": "binary:logistic", "max_depth": 5, "tree_method": "hist"}

    def work() -> np.ndarray:
        table = xgboost.DMatrix(x, y)
        return xgboost.train(options, table, 10).predict(table)[:50]

    return work


def _faiss() -> Work:
    import faiss

    x, _ = _data(5000, 32)

    def work() -> np.ndarray:
        flat = faiss.IndexFlatL2(32)
        flat.add(x)
        lists = faiss.IndexIVFFlat(flat, 32, 16)
        lists.train(x)
        lists.add(x)
        return np.concatenate([flat.search(x[:200], 5)[1].ravel(),
                               lists.search(x[:200], 1)[1].ravel()])

    return work


def _implicit() -> Work:
    import scipy.sparse
    from implicit.als import AlternatingLeastSquares

    random = np.random.default_rng(0)
    table = scipy.sparse.random(300, 200, 0.05, "csr", np.float32, random_state=random)

    def work() -> np.ndarray:
        model = AlternatingLeastSquares(16, iterations=3, random_state=0, num_threads=2)
        model.fit(table, show_progress=False)
        return np.asarray(model.item_factors @ model.user_factors[:3].T)

    return work


_MAKERS: dict[str, tuple[str, Callable[[], Work]]] = {
    "torch": ("torch", _torch),
    "torch training": ("torch", _torch_training),
    "HistGradientBoosting": ("sklearn", _hist_gradient_boosting),
    "KMeans": ("sklearn", _kmeans),
    "pairwise distances": ("sklearn", _neighbours),
    "LightGBM": ("lightgbm", _lightgbm),
    "XGBoost": ("xgboost", _xgboost),
    "faiss": ("faiss", _faiss),
    "implicit": ("implicit", _implicit),
}


def installed() -> list[str]:
    """The names of what can be done here."""
    return [name for name, (package, _) in _MAKERS.items() if find_spec(package)]


def work_of(name: str) -> Work:
    """Imports the package."""
    return _MAKERS[name][1]()
