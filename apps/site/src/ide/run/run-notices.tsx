import { Callout, IconButton } from "@repldock/ui";
import { X } from "lucide-react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { headlineOf } from "./sentences.ts";

/** Why Run did nothing, or what of `.replit` it could not honour. */
export function RunNotices() {
	const { runner } = useWorkspace();
	const { problem, warnings } = useStore(runner.state);
	const dismiss = <IconButton label="Dismiss" size="small" icon={<X aria-hidden />} onClick={runner.dismiss} />;
	if (problem) {
		return (
			<Callout tone="danger" title={headlineOf(problem)} action={dismiss}>
				<p>{problem.detail}</p>
			</Callout>
		);
	}
	if (warnings.length === 0) return null;
	return (
		<Callout tone="warning" title="About this run" action={dismiss}>
			{warnings.map((warning) => (
				<p key={warning}>{warning}</p>
			))}
		</Callout>
	);
}
