"""How answers look. The reference contradicts itself, and a sloppy simulator shows each of its shapes in turn.

    where               the reference                            a sloppy simulator
    every success       code 0; some examples 200, some a text   0, 200 and "0" in turn
    describe a job      schema: at the top; example: in `data`   both in turn
    progress of a job   a text; other tools read a number        both in turn
    toNewDedicated      its example has no wrapper               none
    describe a cluster  `replica` typed text and sent as number  a text
    a cluster           `deploymentOption` may be absent         absent where it is not dedicated
    create an import    schema: a list; example: an object       a list
"""

import itertools
from collections.abc import Callable
from typing import Any

Answer = Callable[[Any], dict[str, Any]]


class Shapes:
    """Makes answers out of data."""

    def __init__(self, sloppy: bool) -> None:
        self.sloppy = sloppy
        self._turn = itertools.count()

    def answer(self, endpoint: str, data: Any) -> dict[str, Any]:
        """The body of a successful answer."""
        if not self.sloppy:
            return {"code": 0, "data": data}
        turn = next(self._turn)
        if endpoint == "toNewDedicated":
            return dict(data)
        code = (0, 200, "0")[turn % 3]
        if endpoint == "job":
            if turn % 2:
                data = data | {"progress": int(data["progress"])}
            return {"code": code, **data} if turn % 4 < 2 else {"code": code, "data": data}
        if endpoint == "cluster":
            data = self._cluster(data) | {"replica": str(data["replica"])}
        elif endpoint == "clusters":
            data = data | {"clusters": [self._cluster(cluster) for cluster in data["clusters"]]}
        elif endpoint == "importCreate":
            data = [data]
        return {"code": code, "data": data}

    def _cluster(self, cluster: dict[str, Any]) -> dict[str, Any]:
        dedicated = cluster["deploymentOption"] == "Dedicated"
        return {name: value for name, value in cluster.items() if dedicated or name != "deploymentOption"}
