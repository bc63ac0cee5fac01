"""A guest book: people leave a line, everybody sees it."""

import os
from datetime import datetime

from flask import Flask, redirect, render_template, request

app = Flask(__name__)

# The entries live in memory: they are gone when the program stops.
# What next? Keep them in a file, or in a database with `import sqlite3`.
entries = []


@app.get("/")
def show_entries():
    return render_template("index.html", entries=reversed(entries))


@app.post("/entries")
def add_entry():
    text = request.form.get("text", "").strip()[:200]
    if text:
        entries.append({"text": text, "time": datetime.now().strftime("%H:%M")})
    return redirect("/")


if __name__ == "__main__":
    # 0.0.0.0 means: reachable from outside, not only from this container.
    app.run(host="0.0.0.0", port=int(os.environ.get("PORT", 5000)))
