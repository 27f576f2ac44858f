"""How fast the service is, against the least that could answer the same requests on the same stack."""
