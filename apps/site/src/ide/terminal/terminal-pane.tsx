import { useEffect, useRef } from "react";
import type { TerminalSession } from "./session.ts";

/** Shows a session's element; the session itself outlives this component. */
export function TerminalPane({ session, visible }: { session: TerminalSession; visible: boolean }) {
	const host = useRef<HTMLDivElement>(null);
	useEffect(() => {
		host.current?.append(session.element);
		return () => session.element.remove();
	}, [session]);
	useEffect(() => {
		session.setVisible(visible);
		return () => session.setVisible(false);
	}, [session, visible]);
	return <div className="ide-terminal-host" ref={host} hidden={!visible} />;
}
