this is not an ORC file, it is a line of text
