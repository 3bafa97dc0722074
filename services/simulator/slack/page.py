from services.simulator.slack.workspace import Workspace
class SlackPage:
    def __init__(self, w: Workspace) -> None: ...
    def routes(self): return []
