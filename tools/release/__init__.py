"""What is checked before every release: the numbers of the book, its versions, and what the repository may not hold."""
