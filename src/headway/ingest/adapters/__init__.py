"""Other programs' files -> our raw rows: one module per program.

`exchange`, `revman`, `metafor` and `folder` serve reviews; `spreadsheet`, `redcap` and `fhir` serve
clinics.
"""
