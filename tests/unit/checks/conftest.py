"""A task and a class that answered it."""

from __future__ import annotations

import pytest

from scoring.domain import Criterion, Level, Task

ANSWERS = (
    "The water in the puddle gets warm from the sun and turns into vapor that goes up in the air.",
    "it evaporated because the sun heated the water and the particles moved faster until they left",
    "The sun gives energy to the water particles. They move faster and escape into the air as a gas.",
    "water turns in to water vapour when it is hot and the puddle gets smaler and smaler",
    "I think the puddle dried up becuase the heat made the water go up to the clouds.",
    "The puddle is gone because of evaporation, the liquid became a gas in the air.",
    "sun + water = vapor, it rises up in the air and you can not see it",
    "The ground soaked up some of the water and the rest evaporated into the air when it was sunny.",
    "The particles on top of the puddle get enough energy from the sun so they leave the water.",
    "It got hot and the water vapor went into the sky and later it makes rain.",
    "Heat from the sun makes the water molecules speed up, and the fast ones fly away into the air.",
    "evaporation. the water was liquid then it was gas and the gas floats away with the wind",
)


@pytest.fixture(scope="session")
def puddle() -> Task:
    return Task(
        id="puddle",
        title="Where did the puddle go?",
        prompt=(
            "After the rain there was a puddle on the playground. The sun shone all morning, and by noon the puddle "
            "was gone. Explain what happened to the water in the puddle, and what the sun has to do with it."
        ),
        stimulus="Depth\n\n| Time | 8:00 | 9:00 | 10:00 |\n|---|---|---|---|\n| Depth (mm) | 31 | 22 | 9 |",
        rubric_text="A full answer says that the water evaporated and that the sun gave the particles energy to leave.",
        reference_answers=(
            "The water evaporated. Energy from the sun made the water particles at the surface move faster until they "
            "left the puddle and spread through the air as water vapour.",
        ),
        criteria=(Criterion("score", "Score", (Level(0, "Nothing right."), Level(1, "Says that it evaporated."))),),
    )


@pytest.fixture(scope="session")
def class_of_twelve() -> list[str]:
    return list(ANSWERS)
