"""All rows of the app, for Django."""

from __future__ import annotations

from models_app.bots.rows import BaseChange as BaseChange
from models_app.bots.rows import Tier as Tier
from models_app.bots.rows import TrainedModel as TrainedModel
from models_app.search.rows import Lane as Lane
from models_app.search.rows import Search as Search
from models_app.search.rows import Trial as Trial
from models_app.sharing.rows import BotTag as BotTag
from models_app.training.rows import TrainingMachine as TrainingMachine
from models_app.writing.keeping.rows import KeptPost as KeptPost
from models_app.writing.keeping.rows import PostReport as PostReport
from models_app.writing.playing.rows import Game as Game
from models_app.writing.rows import Generation as Generation
