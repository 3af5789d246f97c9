"""The official files of each data set: where they lie and how they are read.

Nothing here imports torch; numpy and OpenCV are imported when a file is read, so that looking for data costs little.
"""
