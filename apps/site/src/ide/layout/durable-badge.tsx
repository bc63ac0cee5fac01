import { DatabaseBackup, TriangleAlert } from "lucide-react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { describeDurability } from "./durability.ts";

/** Until when the project's work would outlive its server, as the server says it. A press shows what there is of it. */
export function DurableBadge() {
	const { state, history } = useWorkspace();
	const durability = useStore(state)?.durability;
	if (!durability) return null;
	const { text, detail, kind } = describeDurability(durability, (time) => new Date(time).toLocaleTimeString());
	const Icon = kind === "problem" ? TriangleAlert : DatabaseBackup;
	return (
		<button
			type="button"
			className="ide-durable"
			data-kind={kind}
			title={detail}
			aria-label={`${text}, show the history`}
			onClick={() => history.show(true)}
		>
			<Icon size={15} aria-hidden />
			<span>{text}</span>
		</button>
	);
}
