import type { ContainerState } from "@repldock/protocol";
import { consolePtyId } from "@repldock/protocol/constants";
import { Badge, Callout, IconButton, Spinner } from "@repldock/ui";
import { Eraser } from "lucide-react";
import { useEffect, useState } from "react";
import { describeRunning } from "../run/duration.ts";
import { describeExit } from "../run/exit.ts";
import { RunNotices } from "../run/run-notices.tsx";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { TerminalPane } from "./terminal-pane.tsx";

/** The project's console: what runs print, and what is typed to them. */
export function ConsolePanel({ visible }: { visible: boolean }) {
	const { terminals, state } = useWorkspace();
	const session = terminals.attach(consolePtyId);
	const workspace = useStore(state);
	const pty = workspace?.ptys.find((each) => each.ptyId === consolePtyId) ?? null;
	const exit = pty ? describeExit(pty) : null;
	return (
		<section className="ide-console" aria-label="Console">
			<header className="ide-console-line">
				{pty?.running && pty.title !== "" && <code className="ide-console-command">{pty.title}</code>}
				{pty?.running && pty.startedAtMs !== null && <RunTime startedAtMs={pty.startedAtMs} />}
				{!pty?.running && exit && <Badge tone={exit.good ? "positive" : "danger"}>{exit.text}</Badge>}
				{!pty?.running && !exit && <span className="ide-console-hint">{hint(workspace?.container ?? null)}</span>}
				<span className="ide-spring" />
				<IconButton label="Clear the console" size="small" icon={<Eraser aria-hidden />} onClick={session.clear} />
			</header>
			{pty?.note && !pty.running && (
				<Callout tone="warning">
					<p>{pty.note}</p>
				</Callout>
			)}
			{workspace?.problem && (
				<Callout tone="danger" title="The container has a problem">
					<p>{workspace.problem.detail}</p>
				</Callout>
			)}
			<RunNotices />
			<TerminalPane session={session} visible={visible} />
		</section>
	);
}

function hint(container: ContainerState | null): string {
	if (container === "starting") return "The container is starting…";
	return "Output of Run appears here";
}

/** Counts by itself, so that nothing else is drawn each second. */
function RunTime({ startedAtMs }: { startedAtMs: number }) {
	const [now, setNow] = useState(Date.now);
	useEffect(() => {
		const timer = setInterval(() => setNow(Date.now()), 1000);
		return () => clearInterval(timer);
	}, []);
	return (
		<span className="ide-console-time">
			<Spinner size={12} /> {describeRunning(now - startedAtMs)}
		</span>
	);
}
