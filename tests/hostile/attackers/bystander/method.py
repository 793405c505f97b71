from recpress.api import Artefact, Dense, Method, Params, Shape, Task


class Bystander(Method[Params]):
    Params = Params

    def params_for(self, budget: int, shape: Shape) -> Params:
        return Params()

    def compress(self, task: Task[Params]) -> Artefact:
        return Artefact(Dense.encode(task.backbone.users), Dense.encode(task.backbone.items))
