import { Button, EmptyState, Spinner } from "@repldock/ui";
import { type ComponentType, useEffect, useState } from "react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

type View = ComponentType<{ onClose?: () => void }>;

/** The history over what else the page shows, while it is open. Its code comes with the first opening. */
export function HistoryPanel({ closable }: { closable: boolean }) {
	const { history } = useWorkspace();
	const { open } = useStore(history.state);
	const [View, setView] = useState<View | null>(null);
	const [failed, setFailed] = useState(false);
	const [attempt, setAttempt] = useState(0);

	// biome-ignore lint/correctness/useExhaustiveDependencies: another attempt asks anew
	useEffect(() => {
		if (!open || View) return;
		let current = true;
		import("../history/history-view.tsx").then(
			({ HistoryView }) => current && setView(() => HistoryView),
			(error: unknown) => {
				console.warn("The history's code did not come:", error);
				if (current) setFailed(true);
			},
		);
		return () => {
			current = false;
		};
	}, [open, View, attempt]);

	if (!open) return null;
	const close = () => history.show(false);
	if (View) return <View {...(closable ? { onClose: close } : {})} />;
	return (
		<section className="ide-history" aria-label="History" aria-busy={!failed}>
			<div className="ide-centered">
				{failed ? (
					<EmptyState
						title="The history did not open"
						action={
							<span className="ide-actions">
								<Button
									onClick={() => {
										setFailed(false);
										setAttempt(attempt + 1);
									}}
								>
									Try again
								</Button>
								<Button variant="quiet" onClick={close}>
									Close
								</Button>
							</span>
						}
					>
						<p>A part of the page could not be loaded. Check your network, or reload the page.</p>
					</EmptyState>
				) : (
					<Spinner label="Opening the history" />
				)}
			</div>
		</section>
	);
}
