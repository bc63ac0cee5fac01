import { toast } from "@repldock/ui";
import { useEffect } from "react";
import { describeSaveStatus } from "../documents/save-status.ts";
import { useWorkspace } from "../workspace-context.ts";

/** Keys that work wherever the focus is: Ctrl+Enter runs or stops; Ctrl+S says how things are saved. */
export function useShortcuts(): void {
	const { runner, rights, documents } = useWorkspace();
	useEffect(() => {
		const onKey = (event: KeyboardEvent) => {
			if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
			if (event.key === "Enter" && rights.get() === "edit") {
				event.preventDefault();
				void runner.toggle();
			} else if (event.key === "s") {
				event.preventDefault(); // The browser would save the page itself.
				const detail = "Edits are saved by themselves as you type.";
				toast({ title: describeSaveStatus(documents.status.get()), detail, durationMs: 2_500 });
			}
		};
		addEventListener("keydown", onKey, { capture: true });
		return () => removeEventListener("keydown", onKey, { capture: true });
	}, [runner, rights, documents]);
}
