"""The networks of the miniature models: stock classes, their sizes, their initial values and fast training passes."""
