"""Train: what people verified, imported or published becomes a seed model."""

from prefect import flow

from flows._flowkit import StageRun
from flows._outcome import Outcome
from flows._train import train


@flow(name="train")
def train_flow(study: str, on: str = "", init: str = "", name: str = "") -> Outcome:
    """Train a seed model on what is known by now, unless one was trained on just this.

    Args:
        study: The study's folder, as the machine sees it that does the work.
        on: A published release to learn from, too: its folder.
        init: A model of the study, or a model's folder, to go on from.
        name: What to call the model; the next of seed-1, seed-2... if not given.
    """
    with StageRun("train", study) as run:
        run.outcome.add(train(run.study, on=on, init=init, name=name))
    return run.outcome
