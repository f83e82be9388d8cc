"""Tracking: targets among the detections of a scan, of which nobody says what caused them."""

from __future__ import annotations

from .association import Association as Association
from .association import Shares as Shares
from .bridging import bridged as bridged
from .cardinality import Cardinality as Cardinality
from .cphd import CPHD as CPHD
from .detector import Detector as Detector
from .events import EventKind as EventKind
from .events import TrackEvent as TrackEvent
from .existence import Existence as Existence
from .gate import Gate as Gate
from .gate import Pairs as Pairs
from .gnn import GNN as GNN
from .independent_pda import IndependentPDA as IndependentPDA
from .initiation import Initiation as Initiation
from .jipda import JIPDA as JIPDA
from .jpda import JPDA as JPDA
from .lmb import LMB as LMB
from .m_of_n import MofN as MofN
from .management import Evidence as Evidence
from .management import Management as Management
from .merging import Merging as Merging
from .mht import MHT as MHT
from .nearest_neighbor import NearestNeighbor as NearestNeighbor
from .one_point import OnePoint as OnePoint
from .pda import PDA as PDA
from .phd import GMPHD as GMPHD
from .pmbm import PMBM as PMBM
from .reidentification import Reidentification as Reidentification
from .scenario import Scenario as Scenario
from .scenarios import births_and_deaths as births_and_deaths
from .scenarios import crossing as crossing
from .scenarios import manoeuvring as manoeuvring
from .scenarios import occlusion as occlusion
from .scenarios import parallel as parallel
from .splitting import Splitting as Splitting
from .sprt import ScoreTest as ScoreTest
from .tracker import Tracker as Tracker
from .tracks import Track as Track
from .tracks import Tracks as Tracks
from .tracks import TrackStatus as TrackStatus
from .two_point import TwoPoint as TwoPoint

__all__ = [
    "CPHD",
    "GMPHD",
    "GNN",
    "JIPDA",
    "JPDA",
    "LMB",
    "MHT",
    "PDA",
    "PMBM",
    "Association",
    "Cardinality",
    "Detector",
    "EventKind",
    "Evidence",
    "Existence",
    "Gate",
    "IndependentPDA",
    "Initiation",
    "Management",
    "Merging",
    "MofN",
    "NearestNeighbor",
    "OnePoint",
    "Pairs",
    "Reidentification",
    "Scenario",
    "ScoreTest",
    "Shares",
    "Splitting",
    "Track",
    "TrackEvent",
    "TrackStatus",
    "Tracker",
    "Tracks",
    "TwoPoint",
    "births_and_deaths",
    "bridged",
    "crossing",
    "manoeuvring",
    "occlusion",
    "parallel",
]
