"""livevlm_ros: a robot's camera memory that can be asked questions."""

__version__ = '0.1.0'
