import { useEffect, useRef, useState } from "react";
import { refuseName } from "./paths.ts";

/** A name being typed in the tree. Enter or leaving takes it, Escape does not. */
export function NameField(props: {
	label: string;
	value: string;
	/** Resolves to a sentence when the name was refused. */
	onTake(name: string): Promise<string | null>;
	onCancel(): void;
}) {
	const field = useRef<HTMLInputElement>(null);
	const busy = useRef(false);
	const [error, setError] = useState<string | null>(null);
	useEffect(() => {
		const input = field.current;
		if (!input) return;
		input.focus();
		const dot = input.value.lastIndexOf(".");
		input.setSelectionRange(0, dot > 0 ? dot : input.value.length);
	}, []);

	async function take(leaving: boolean): Promise<void> {
		const name = field.current?.value ?? "";
		if (busy.current) return;
		if (name === props.value || (leaving && name.trim() === "")) return props.onCancel();
		busy.current = true;
		const refusal = refuseName(name) ?? (await props.onTake(name));
		busy.current = false;
		if (refusal === null) return;
		if (leaving) props.onCancel();
		else setError(refusal);
	}
	return (
		<span className="ide-name-field">
			<input
				ref={field}
				defaultValue={props.value}
				aria-label={props.label}
				aria-invalid={error !== null}
				spellCheck={false}
				autoComplete="off"
				onClick={(event) => event.stopPropagation()}
				onBlur={() => void take(true)}
				onKeyDown={(event) => {
					event.stopPropagation();
					if (event.key === "Enter") void take(false);
					if (event.key === "Escape") {
						busy.current = true; // Leaving the field by this must not take the name.
						props.onCancel();
					}
				}}
			/>
			{error !== null && <span role="alert">{error}</span>}
		</span>
	);
}
