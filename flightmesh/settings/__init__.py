from flightmesh.settings.effective import BadFlag, Effective, effective
from flightmesh.settings.file import load

__all__ = ["BadFlag", "Effective", "effective", "load"]
