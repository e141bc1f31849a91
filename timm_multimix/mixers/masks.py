"""Mixers that take some pixels from a partner, for images and feature maps."""

from .. import functional as F
from ..functional.mixing import check_boxes
from .places import MAP_PLACES
from .registry import register_mixer
from .sources import Agreement, Paper

register_mixer(
    place=MAP_PLACES,
    check=check_boxes,
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
    agreement=Agreement(
        reference="arXiv:1905.04899, equations 1 and 2",
        tested="box and label, pixel by pixel; area of the boxes",
        tests=(
            "functional/test_mixing.py::test_cutmix_pastes_one_box_and_weighs_by_area",
            "functional/test_mixing.py::test_cutmix_boxes_have_the_area_of_the_drawn_lambda",
        ),
        departures="The authors' code rounds the sides of a box down to even numbers. Their CIFAR runs "
        "mix half of the batches, `0.5*none | 0.5*cutmix`; cutmix alone mixes all.",
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
    agreement=Agreement(
        reference="arXiv:2012.11101, section 3.2",
        tested="a slow resizing, Pillow's and torch's; places and areas by their distribution",
        tests=(
            "functional/test_resize.py::test_resizemix_pastes_the_resized_partner",
            "functional/test_resize.py::test_resizing_is_torchs",
            "functional/test_resize.py::test_every_place_inside_is_equally_likely",
        ),
        departures="Boxes lie inside, every place equally likely, and are resized with antialiasing; the "
        "authors' code shifts boxes that cross the border back to it, draws a place for each example of a "
        "batch with one size, and resizes by nearest neighbour.",
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
    agreement=Agreement(
        reference="arXiv:2002.12047, section 3",
        tested="a Fourier transform by its sums, pixel by pixel; moments of the area; spectrum of the noise",
        tests=(
            "functional/test_masks.py::test_fmix_is_the_formula",
            "functional/test_masks.py::test_area_has_the_moments_of_beta",
            "functional/test_masks.py::test_fmix_spectrum_falls_with_the_power_of_the_frequency",
        ),
        departures="The label is by the area really kept; the authors' code takes the lambda drawn. Its "
        "masks have no frequencies of two or more cycles along the width; these have the paper's.",
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
    agreement=Agreement(
        reference="Pattern Recognition 109, 2021, 107594 (abstract; the text is not public)",
        tested="a loop over cells and pixels; distribution of the number of cells",
        tests=(
            "functional/test_masks.py::test_gridmix_is_the_formula",
            "functional/test_masks.py::test_gridmix_keeps_every_number_of_cells_as_often_as_it_should",
        ),
        departures="Without the paper's loss on the label of every cell. alpha = 1 and four cells a "
        "side are choices of this package. OpenMixup's GridMix, a lattice of holes, is "
        "another method.",
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
    agreement=Agreement(
        reference="SmoothMix, CVPR workshops 2020; OpenMixup's range of sigma",
        tested="a loop over pixels; mean of the label by quadrature",
        tests=(
            "functional/test_masks.py::test_smoothmix_is_the_formula",
            "functional/test_masks.py::test_smoothmix_label_has_the_mean_of_its_formula",
        ),
        departures="OpenMixup weighs the two labels the other way round.",
    ),
)(F.smoothmix)
