import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const projectFile = `modules = ["python-3.11", "nodejs-20:v8-20230920-bd784b9"]
hidden = [".pythonlibs"]

[nix]
channel = "stable-24_05"
packages = ["libyaml", "openssl"]

[workflows]
runButton = "Project"

[[workflows.workflow]]
name = "Project"
mode = "parallel"
author = "agent"

[[workflows.workflow.tasks]]
task = "workflow.run"
args = "Start application"

[[workflows.workflow]]
name = "Start application"
author = "agent"

[workflows.workflow.metadata]
outputType = "webview"

[[workflows.workflow.tasks]]
task = "shell.exec"
args = "python main.py"
waitForPort = 5000

[deployment]
deploymentTarget = "autoscale"
run = ["gunicorn", "--bind", "0.0.0.0:5000", "main:app"]

[[ports]]
localPort = 5000
externalPort = 80
`;

const program = `from http.server import BaseHTTPRequestHandler, HTTPServer
import os

class Harbour(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("moved to " + os.environ["REPL_SLUG"]).encode())

HTTPServer(("0.0.0.0", 5000), Harbour).serve_forever()
`;

const files: Readonly<Record<string, string>> = {
	".replit": projectFile,
	"replit.nix": "{pkgs}: {\n  deps = [\n    pkgs.libyaml\n  ];\n}\n",
	"main.py": program,
	"pyproject.toml": '[project]\nname = "repl-nix-workspace"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n',
	".config/pip/pip.conf": "[install]\nuser = no\n",
	".cache/pip/http/1/2/3": "a cached download",
	".cache/replit/env/latest": "declare -x REPL_ID=1\n",
	".upm/store.json": '{"version":2,"languages":{}}\n',
	".pythonlibs/pyvenv.cfg": "home = /nix/store/python3-3.11.10-env/bin\nversion = 3.11.10\n",
	".pythonlibs/bin/pip": "#!/nix/store/python3-3.11.10-env/bin/python3.11\n",
	".local/state/replit/agent/.agent_state_main": "state",
};

const pack = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name, content in json.load(sys.stdin).items(): archive.writestr("Harbour/" + name, content)
`;

/** A zip as Replit's "Download as zip" gives it, of a web program that listens on 5000. */
export async function replitExport(): Promise<Uint8Array<ArrayBuffer>> {
	const folder = await mkdtemp(join(tmpdir(), "repldock-replit-"));
	try {
		const path = join(folder, "Harbour.zip");
		execFileSync("python3", ["-c", pack, path], { input: JSON.stringify(files) });
		return new Uint8Array(await readFile(path));
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
