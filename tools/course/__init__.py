"""The course pack: from the sources in course/ everything that students, teachers and graders are handed."""
