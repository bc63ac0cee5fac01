import { CircleAlert, CircleCheck, X } from "lucide-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "../button/button.tsx";
import { IconButton } from "../icon-button/icon-button.tsx";
import { currentToasts, dismissToast, subscribeToasts, type ToastEntry } from "./toast-store.ts";

const none: readonly ToastEntry[] = [];

/** Where messages of `toast()` appear; once per page. */
export function Toaster() {
	const entries = useSyncExternalStore(subscribeToasts, currentToasts, () => none);
	const [held, setHeld] = useState(false);
	return (
		<section
			className="rd-toaster"
			aria-label="Notifications"
			aria-live="polite"
			onPointerEnter={() => setHeld(true)}
			onPointerLeave={() => setHeld(false)}
			onFocus={() => setHeld(true)}
			onBlur={() => setHeld(false)}
		>
			{entries.map((entry) => (
				<Toast key={entry.id} entry={entry} held={held} />
			))}
		</section>
	);
}

function Toast({ entry, held }: { entry: ToastEntry; held: boolean }) {
	useEffect(() => {
		if (held) return;
		const timer = setTimeout(() => dismissToast(entry.id), entry.durationMs);
		return () => clearTimeout(timer);
	}, [entry, held]);
	return (
		<div className="rd-toast" data-tone={entry.tone ?? "neutral"}>
			{entry.tone === "danger" && <CircleAlert size={18} aria-hidden />}
			{entry.tone === "positive" && <CircleCheck size={18} aria-hidden />}
			<div className="rd-toast-text">
				<p>{entry.title}</p>
				{entry.detail && <p className="rd-toast-detail">{entry.detail}</p>}
			</div>
			{entry.action && (
				<Button
					size="small"
					onClick={() => {
						entry.action?.onSelect();
						dismissToast(entry.id);
					}}
				>
					{entry.action.label}
				</Button>
			)}
			<IconButton label="Dismiss" icon={<X aria-hidden />} size="small" onClick={() => dismissToast(entry.id)} />
		</div>
	);
}
