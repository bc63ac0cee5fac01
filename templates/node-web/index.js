// A web server without any package: it serves a page and streams the time to it.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const port = Number(process.env.PORT ?? 3000);
const startedAt = Date.now();

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(readFileSync("page.html"));
  } else if (pathname === "/time") {
    streamTime(response);
  } else {
    response.writeHead(404, { "Content-Type": "text/plain" });
    response.end(`There is nothing at ${pathname}\n`);
  }
});

/** Server-sent events: the answer never ends, each second adds a message. */
function streamTime(response) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  const send = () => {
    const upSeconds = Math.round((Date.now() - startedAt) / 1000);
    response.write(`data: ${JSON.stringify({ time: new Date(), upSeconds })}\n\n`);
  };
  send();
  const timer = setInterval(send, 1000);
  response.on("close", () => clearInterval(timer));
}

server.listen(port, "0.0.0.0", () => console.log(`Listening on port ${port}`));

// What next?
//  - Change page.html and reload the page: no restart needed.
//  - express is there too: import express from "express"
