"""One versioned report (`schema`) and its renderings: JSON, Markdown, HTML, terminal, diff.

Renderers are pure functions of a `Report`; nothing here trains, measures or judges. Modules are
imported where they are used: a command that prints numbers needs no statistics, and few sessions
need the template engine of `report.html`.
"""
