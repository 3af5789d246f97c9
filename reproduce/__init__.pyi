from .dataframe import results as results
