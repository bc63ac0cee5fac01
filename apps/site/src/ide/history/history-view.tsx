import { EmptyState, IconButton } from "@repldock/ui";
import { History as HistoryIcon, X } from "lucide-react";
import { type KeyboardEvent, useEffect, useLayoutEffect, useRef } from "react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { FilePane } from "./file-pane.tsx";
import type { HistoryShown } from "./history.ts";
import { VersionPane } from "./version-pane.tsx";
import { VersionsPane } from "./versions-pane.tsx";

/**
 * The project's versions, what has changed since one, and its files. Three panes where there is room; fewer, and ways
 * back, where there is not (by the panel's own width).
 */
export function HistoryView({ onClose }: { onClose?: (() => void) | undefined }) {
	const { history } = useWorkspace();
	const shown = useStore(history.state);
	const { chosen, file } = shown;
	const section = useRef<HTMLElement>(null);
	useEffect(() => history.follow(), [history]);
	useEffect(() => {
		const opener = document.activeElement;
		section.current?.focus({ preventScroll: true });
		return () => {
			const isLost = document.activeElement === null || document.activeElement === document.body;
			if (isLost && opener instanceof HTMLElement) opener.focus({ preventScroll: true });
		};
	}, []);
	const shows = useFocusThatFollows(section, shown);

	function onKeyDown(event: KeyboardEvent<HTMLElement>): void {
		if (event.key !== "Escape" || event.defaultPrevented || !onClose) return;
		// Dialogs and fields close themselves.
		if (event.target instanceof Element && event.target.closest("dialog, input, [role='menu']")) return;
		onClose();
	}
	return (
		<section
			ref={section}
			className="ide-history"
			aria-label="History"
			tabIndex={-1}
			data-shows={shows}
			onKeyDown={onKeyDown}
		>
			<header className="ide-bar ide-history-bar">
				<HistoryIcon size={16} aria-hidden />
				<h2>History</h2>
				{onClose && <IconButton label="Close the history" size="small" icon={<X aria-hidden />} onClick={onClose} />}
			</header>
			<div className="ide-history-panes">
				<VersionsPane />
				{chosen ? (
					<VersionPane key={chosen.id} version={chosen} />
				) : (
					<div className="ide-history-pane" data-pane="version">
						<EmptyState icon={<HistoryIcon aria-hidden />} title="Choose a version">
							<p>See what has changed since, look at its files, and take one of them or all of them back.</p>
						</EmptyState>
					</div>
				)}
				{chosen && file ? (
					<FilePane key={`${chosen.id} ${file.path}`} version={chosen} file={file} />
				) : (
					<div className="ide-history-pane" data-pane="file">
						{chosen && (
							<EmptyState title="Choose a file">
								<p>It is shown as it was, and compared with now.</p>
							</EmptyState>
						)}
					</div>
				)}
			</div>
		</section>
	);
}

/** Where a press takes its own button away (one pane at a time), the focus goes on to the pane that came. */
function useFocusThatFollows(section: { current: HTMLElement | null }, { chosen, file }: HistoryShown): string {
	const shows = file ? "file" : chosen ? "version" : "list";
	const now = { shows, version: chosen?.id, path: file?.path };
	const before = useRef(now);
	const latest = useRef(now);
	latest.current = now;
	useLayoutEffect(() => {
		const { shows: left, version, path } = before.current;
		before.current = latest.current;
		const focused = document.activeElement;
		const isLost = !focused || focused === document.body || !focused.checkVisibility();
		if (left === shows || !isLost) return;
		const pane = section.current?.querySelector<HTMLElement>(`[data-pane="${shows}"]`);
		// Going back, to the row that led there; going on, to the pane's heading.
		const row = shows === "list" ? version : shows === "version" && left === "file" ? path : undefined;
		const opener = row === undefined ? null : pane?.querySelector<HTMLElement>(`[data-row="${CSS.escape(row)}"]`);
		(opener ?? pane?.querySelector<HTMLElement>("[data-pane-title]"))?.focus();
	});
	return shows;
}
