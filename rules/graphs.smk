"""What the rules of each stage take from the configuration and the sheets.

Of all stages, also of those whose results are given (``start``): others ask where these lie.
"""

from scripts.analyse.graph import AnalyseGraph
from scripts.analyse.maps import MapsGraph
from scripts.annotate.graph import AnnotateGraph
from scripts.detect.bias_graph import BiasGraph
from scripts.detect.graph import DetectGraph
from scripts.evaluate.graph import EvaluateGraph
from scripts.generate.graph import GenerateGraph
from scripts.publish.gallery.graph import GalleryGraph
from scripts.publish.graph import PublishGraph
from scripts.sources.graph import SourcesGraph
from scripts.split.graph import SplitGraph
from scripts.trace.graph import TraceGraph

annotate = AnnotateGraph(study)
generate = GenerateGraph(study)
sources = SourcesGraph(study)
split = SplitGraph(study)
evaluate = EvaluateGraph(study)
detect = DetectGraph(study)
bias = BiasGraph(detect)
trace = TraceGraph(study, split)
maps = MapsGraph(study, annotate)
analyse = AnalyseGraph(
    study,
    annotate,
    evaluate,
    detect,
    curate_steps=account_of_curate,
    trace=trace,
    maps=maps,
)
publish = PublishGraph(study, annotate)
gallery = GalleryGraph(publish, analyse)
