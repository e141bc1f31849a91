"""Mixers that take some pixels from a partner, at places where there are maps."""

from .. import functional as F
from .mixer import MAP_PLACES
from .paper import Paper
from .registry import register_mixer

register_mixer(
    place=MAP_PLACES,
    paper=Paper(
        "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
        authors=(
            "Yun, Sangdoo",
            "Han, Dongyoon",
            "Oh, Seong Joon",
            "Chun, Sanghyuk",
            "Choe, Junsuk",
            "Yoo, Youngjoon",
        ),
        year=2019,
        arxiv="1905.04899",
        booktitle="IEEE/CVF International Conference on Computer Vision",
    ),
)(F.cutmix)

register_mixer(
    place=MAP_PLACES,
    paper=Paper(
        "ResizeMix: Mixing Data with Preserved Object Information and True Labels",
        authors=(
            "Qin, Jie",
            "Fang, Jiemin",
            "Zhang, Qian",
            "Liu, Wenyu",
            "Wang, Xingang",
            "Wang, Xinggang",
        ),
        year=2020,
        arxiv="2012.11101",
    ),
)(F.resizemix)

register_mixer(
    place=MAP_PLACES,
    paper=Paper(
        "FMix: Enhancing Mixed Sample Data Augmentation",
        authors=(
            "Harris, Ethan",
            "Marcu, Antonia",
            "Painter, Matthew",
            "Niranjan, Mahesan",
            "Prügel-Bennett, Adam",
            "Hare, Jonathon",
        ),
        year=2020,
        arxiv="2002.12047",
    ),
)(F.fmix)

register_mixer(
    place=MAP_PLACES,
    paper=Paper(
        "GridMix: Strong regularization through local context mapping",
        authors=("Baek, Kyungjune", "Bang, Duhyeon", "Shim, Hyunjung"),
        year=2021,
        journal="Pattern Recognition",
        url="https://www.sciencedirect.com/science/article/pii/S0031320320303976",
    ),
)(F.gridmix)

register_mixer(
    place=MAP_PLACES,
    paper=Paper(
        "SmoothMix: a Simple Yet Effective Data Augmentation to Train Robust Classifiers",
        authors=("Lee, Jin-Ha", "Zaheer, Muhammad Zaigham", "Astrid, Marcella", "Lee, Seung-Ik"),
        year=2020,
        booktitle="IEEE/CVF Conference on Computer Vision and Pattern Recognition Workshops",
    ),
)(F.smoothmix)
