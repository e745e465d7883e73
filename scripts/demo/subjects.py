"""What the demo's prompts are about: subjects with their pictures, and actions with their motions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """One picture of a subject.

    ``focus`` is the point to keep in sight (shares of width and height), ``near`` the smallest
    crop as a share of the largest, ``place`` words that belong to the picture, and ``area`` the
    part of the picture (left, top, right, bottom, as shares) that prompts may use: what is left is
    footage for the real videos.
    """

    scene: str
    focus: tuple[float, float] = (0.5, 0.5)
    near: float = 0.65
    place: str = ""
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Subject:
    """A subject: its share of prompts, how people write it (plural ones marked), pictures, actions."""

    name: str
    weight: int
    singular: tuple[str, ...]
    plural: tuple[str, ...]
    views: tuple[View, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Action:
    """An action: the motion that shows it, and how people ask for it.

    ``[waves|wave]`` is the verb for one and for several; ``{s}`` is the subject.
    """

    motion: str
    phrases: tuple[str, ...]


ACTIONS = {
    "zoom_in": Action("zoom_in", ("zoom in on {s}", "{s}, slow zoom in", "camera zooms in, {s}")),
    "zoom_out": Action("zoom_out", ("zoom out from {s}", "{s}, zoom out slowly")),
    "pan_left": Action("pan_left", ("{s}, camera pans left", "camera moves left past {s}")),
    "pan_right": Action("pan_right", ("{s}, camera pans right", "camera moves right past {s}")),
    "pan_up": Action("pan_up", ("{s}, camera tilts up", "camera moves up over {s}")),
    "pan_down": Action("pan_down", ("{s}, camera tilts down",)),
    "rotate": Action("rotate_cw", ("{s} [rotates|rotate] slowly", "{s} [spins|spin] around")),
    "rotate_back": Action(
        "rotate_ccw", ("{s}, camera rotates around", "{s} [turns|turn] upside down")
    ),
    "walk": Action("bob", ("{s} [walks|walk] towards the camera", "{s} [walks|walk] away")),
    "run": Action("run", ("{s} [runs|run] fast", "{s} [gallops|gallop] through the dust")),
    "ride": Action(
        "run", ("{s} [drives|drive] down the road", "{s} [races|race] through the city")
    ),
    "fly": Action("fly", ("{s} [flies|fly] through the sky", "{s} [flies|fly] away")),
    "launch": Action("pan_down", ("{s} [takes|take] off", "{s} [launches|launch] into the night")),
    "float": Action("hover", ("{s} [floats|float] weightlessly", "{s} [floats|float] in the air")),
    "dance": Action("dance", ("{s} [dances|dance] to the music", "{s} [dances|dance] happily")),
    "wave": Action("sway", ("{s} [waves|wave] at the camera", "{s} [waves|wave] goodbye")),
    "sway": Action("sway", ("{s} [sways|sway] gently", "{s} [sways|sway] in the breeze")),
    "wind": Action("wind", ("wind blows over {s}", "{s}, hair and fur blow in the wind")),
    "breeze": Action("wind", ("wind blows through {s}", "{s} [moves|move] in the wind")),
    "flow": Action("flow", ("fog flows around {s}", "water flows over {s}")),
    "steam": Action("flow", ("steam rises from {s}", "hot steam flows over {s}")),
    "drift": Action("flow", ("{s} [drifts|drift] through space", "{s} [flows|flow] like water")),
    "morph": Action(
        "morph", ("{s} [morphs|morph] into something new", "{s} [transforms|transform]")
    ),
    "stir": Action("morph", ("someone stirs {s}", "the cream swirls in {s}")),
    "breathe": Action("pulse", ("{s} [breathes|breathe] calmly", "{s} [breathes|breathe] heavily")),
    "open": Action(
        "bloom", ("{s} [opens|open] its petals", "{s} [blooms|bloom]", "{s} [grows|grow]")
    ),
    "expand": Action("bloom", ("{s} [expands|expand]", "{s} [explodes|explode] in slow motion")),
    "blink": Action("blink", ("{s} [blinks|blink]", "{s} [blinks|blink] slowly")),
    "talk": Action("talk", ("{s} [talks|talk] to the camera", "{s} [speaks|speak] and [nods|nod]")),
    "meow": Action("talk", ("{s} [meows|meow]", "{s} [opens|open] its mouth and [meows|meow]")),
    "smile": Action("smile", ("{s} [smiles|smile]", "{s} [smiles|smile] and [laughs|laugh]")),
    "look": Action("look", ("{s} [looks|look] around", "{s} [looks|look] to the left")),
    "turn": Action("turn", ("{s} [turns|turn] around", "{s} [turns|turn] its head")),
    "shake": Action("shake", ("{s} [shakes|shake]", "the ground shakes under {s}")),
    "crumble": Action("shake", ("{s} [crumbles|crumble]", "{s} [shakes|shake] and [cracks|crack]")),
    "fall": Action("fall", ("{s} [falls|fall] down", "{s} [drops|drop] slowly")),
    "glow": Action(
        "glow", ("{s} [glows|glow]", "light shines on {s}", "{s} [shines|shine] brightly")
    ),
    "flicker": Action("flicker", ("lights flicker on {s}", "{s}, lightning flashes")),
    "snow": Action("snow", ("snow falls on {s}", "{s}, snow falling softly")),
    "embers": Action("embers", ("sparks rise around {s}", "sparks fly over {s}")),
    "petals": Action("petals", ("petals fall around {s}", "cherry petals blow past {s}")),
    "twinkle": Action(
        "twinkle", ("stars twinkle around {s}", "{s} [twinkles|twinkle] in the dark")
    ),
}
"""Actions by name."""

CAMERA = ("zoom_in", "zoom_out", "pan_left", "pan_right", "pan_up")

SUBJECTS = (
    Subject(
        "astronaut",
        22,
        ("an astronaut", "the astronaut", "astronaut", "a young astronaut", "the female astronaut"),
        ("astronauts", "the astronauts"),
        (
            View("astronaut", (0.44, 0.33), 0.62),
            View("astronaut_in_space", (0.48, 0.33), 0.75, " in space"),
            View("astronaut_on_moon", (0.48, 0.33), 0.75, " on the moon"),
        ),
        ("wave", "smile", "blink", "talk", "look", "float", "turn", "dance", "walk", *CAMERA),
    ),
    Subject(
        "cat",
        17,
        ("a cat", "the cat", "my cat", "cat", "a cute cat", "the tabby cat"),
        ("cats", "two cats"),
        (View("cat", (0.42, 0.40), 0.68),),
        ("blink", "meow", "look", "smile", "breathe", "turn", "wind", "walk", *CAMERA[:3]),
    ),
    Subject(
        "flower",
        12,
        ("a flower", "the flower", "an orange flower", "the dahlia flower"),
        ("flowers", "the flowers"),
        (View("flower", (0.46, 0.43), 0.6),),
        ("open", "sway", "petals", "rotate", "glow", "morph", "breeze", "zoom_in", "snow"),
    ),
    Subject(
        "temple",
        11,
        ("a temple", "the temple", "an old temple", "the Chinese temple"),
        ("temples",),
        (View("china", (0.30, 0.44), 0.7, area=(0.0, 0.0, 0.62, 1.0)),),
        ("snow", "petals", "flow", "glow", "flicker", *CAMERA),
    ),
    Subject(
        "galaxy",
        10,
        ("a galaxy", "the galaxy", "a distant galaxy"),
        ("galaxies", "distant galaxies"),
        (
            View("galaxies", (0.3, 0.3), 0.5, area=(0.0, 0.0, 1.0, 0.6)),
            View("galaxies", (0.7, 0.25), 0.5, area=(0.0, 0.0, 1.0, 0.6)),
        ),
        ("rotate", "twinkle", "drift", "expand", "morph", "zoom_in", "zoom_out", "rotate_back"),
    ),
    Subject(
        "motorcycle",
        10,
        ("a motorcycle", "the motorcycle", "a red motorcycle", "my motorcycle"),
        ("motorcycles",),
        (View("motorcycle", (0.45, 0.55), 0.72),),
        ("shake", "ride", "turn", "glow", "embers", *CAMERA),
    ),
    Subject(
        "horse",
        10,
        ("a horse", "the horse", "a lonely horse"),
        ("horses", "wild horses"),
        (
            View("horse_at_sunset", (0.55, 0.6), 0.75, " at sunset"),
            View("horse_on_meadow", (0.55, 0.55), 0.75, " on a meadow"),
            View("horse_on_moon", (0.45, 0.5), 0.75, " on the moon"),
        ),
        ("run", "walk", "shake", "look", "turn", "breathe", "fly", "zoom_in", "pan_right"),
    ),
    Subject(
        "rocket",
        9,
        ("a rocket", "the rocket", "a space rocket", "the rocket on the launch pad"),
        ("rockets",),
        (View("rocket", (0.52, 0.45), 0.68),),
        ("launch", "fly", "embers", "shake", "glow", "zoom_in", "zoom_out", "pan_up", "flicker"),
    ),
    Subject(
        "coffee",
        9,
        ("a cup of coffee", "the cup of coffee", "the coffee cup", "a coffee cup"),
        ("coffee cups",),
        (View("coffee", (0.47, 0.42), 0.66),),
        ("steam", "stir", "rotate", "shake", "glow", "zoom_in", "pan_left", "pan_down"),
    ),
    Subject(
        "moon",
        8,
        ("the moon", "a full moon", "the full moon", "moon"),
        (),
        (
            View("moonrise", (0.54, 0.42), 0.62, " at night"),
            View("moon", (0.5, 0.5), 0.6),
        ),
        ("glow", "rotate", "twinkle", "float", "zoom_in", "zoom_out", "pan_up"),
    ),
    Subject(
        "naval officer",
        8,
        ("a naval officer", "the naval officer", "the old naval officer"),
        ("naval officers",),
        (View("hopper", (0.5, 0.36), 0.68),),
        ("talk", "blink", "smile", "look", "turn", "walk", "zoom_in", "pan_left"),
    ),
    Subject(
        "planet",
        8,
        ("a planet", "the planet"),
        ("planets",),
        (
            View("red_planet", (0.47, 0.5), 0.66, " in space"),
            View("blue_planet", (0.58, 0.48), 0.66, " in the universe"),
        ),
        ("rotate", "float", "glow", "expand", "twinkle", "zoom_in", "zoom_out", "rotate_back"),
    ),
    Subject(
        "mountains",
        8,
        ("a mountain", "the mountain landscape"),
        ("mountains", "the mountains"),
        (View("mountains", (0.5, 0.5), 0.6), View("mountains_at_dusk", (0.5, 0.5), 0.6)),
        ("snow", "flow", "glow", "flicker", *CAMERA),
    ),
    Subject(
        "meadow",
        7,
        ("a meadow", "the meadow", "the green meadow"),
        ("meadows",),
        (View("meadow", (0.5, 0.55), 0.6),),
        ("breeze", "petals", "glow", "snow", "flicker", *CAMERA[:4]),
    ),
    Subject(
        "photographer",
        7,
        ("a photographer", "the photographer", "a photographer in a coat"),
        ("photographers",),
        (View("camera", (0.42, 0.34), 0.62),),
        ("turn", "look", "walk", "wind", "shake", "zoom_out", "pan_right"),
    ),
    Subject(
        "brick wall",
        7,
        ("a brick wall", "the brick wall", "an old brick wall"),
        ("brick walls",),
        (View("brick_wall", (0.5, 0.3), 0.55, area=(0.0, 0.0, 1.0, 0.62)),),
        ("crumble", "flicker", "morph", "glow", "zoom_out", "pan_left", "pan_up"),
    ),
    Subject(
        "coins",
        5,
        (),
        ("gold coins", "the gold coins", "coins", "old coins"),
        (View("gold_coins", (0.5, 0.4), 0.5, area=(0.0, 0.0, 1.0, 0.72)),),
        ("fall", "glow", "rotate", "shake", "zoom_in", "pan_right"),
    ),
    Subject(
        "sunset",
        4,
        ("a sunset", "the sunset"),
        (),
        (View("sunset", (0.55, 0.5), 0.6),),
        ("glow", "breeze", "zoom_out", "pan_left"),
    ),
)
"""Subjects, the most popular first."""

STYLES = {
    "natural": ("", "", "realistic", "photorealistic", "smooth motion", "detailed surrounding"),
    "vivid": ("vivid colours", "hdr, highly detailed", "colourful"),
    "noir": ("black and white film", "film noir, dramatic shadows"),
    "sepia": ("old photograph, sepia", "1920s look"),
    "night": ("at midnight, deep blue light", "dark blue night"),
    "golden": ("golden hour", "warm evening light"),
    "cold": ("cold morning light", "pale winter light"),
    "fog": ("in the fog", "mist, moody"),
    "neon": ("cyberpunk, neon lights", "synthwave"),
    "comic": ("comic book style", "pop art"),
    "painting": ("oil painting", "impressionist painting"),
    "faded": ("1970s polaroid", "vintage, faded colours"),
    "emerald": ("emerald light", "underwater light"),
}
"""How people name what a colour treatment does."""

QUALITIES = (
    "4k",
    "8k uhd",
    "cinematic, 4k",
    "cinematic slow-motion",
    "high quality, sharpness, contrast",
    "best quality (masterpiece:1.2)",
    "100% real",
    "it's raining",
    "light & shadow",
    '"dreamy" mood',
    "I <3 this",
    "~1960s look",
    "close-up — volumetric light",
    "café mood",
)
"""What people add, with characters that HTML must escape."""

FOREIGN = (
    ("un gato parpadea y mira a la izquierda", "cat", "blink"),
    ("una niña astronauta saluda a la cámara", "astronaut", "wave"),
    ("ein Pferd läuft über die Wiese", "horse", "run"),
    ("la lune se lève au-dessus des collines", "moon", "glow"),
    ("一只猫在微笑", "cat", "smile"),
    ("космонавт медленно поворачивается", "astronaut", "turn"),
    ("ロケットが夜空へ飛び立つ", "rocket", "launch"),
    ("الزهرة تتفتح ببطء", "flower", "open"),
    ("uma xícara de café, vapor subindo", "coffee", "steam"),
    ("눈 내리는 산", "mountains", "snow"),
)
"""Prompts in other languages: text, subject, action."""
