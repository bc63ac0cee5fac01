import { Eye, EyeOff } from "lucide-react";
import { type InputHTMLAttributes, type ReactNode, type Ref, useId, useState } from "react";
import { classes } from "../classes.ts";

export interface TextFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "prefix"> {
	label: string;
	/** Keeps the label for assistive technology alone, as in a search box. */
	hideLabel?: boolean | undefined;
	/** Says what to type; stands below the field until there is an error. */
	hint?: ReactNode;
	/** What is wrong and how to mend it. */
	error?: string | undefined;
	/** Stand inside the frame, before and after the text. */
	before?: ReactNode;
	after?: ReactNode;
	ref?: Ref<HTMLInputElement> | undefined;
}

/** A labelled line of text. `type="password"` brings a button that shows what was typed. */
export function TextField({
	label,
	hideLabel = false,
	hint,
	error,
	before,
	after,
	type = "text",
	id,
	className,
	...rest
}: TextFieldProps) {
	const ownId = useId();
	const inputId = id ?? ownId;
	const noteId = `${inputId}-note`;
	const [revealed, setRevealed] = useState(false);
	const secret = type === "password";
	return (
		<div className={classes("rd-field", className)}>
			<label className={hideLabel ? "rd-visually-hidden" : "rd-field-label"} htmlFor={inputId}>
				{label}
			</label>
			<div className="rd-field-frame" data-invalid={error ? true : undefined}>
				{before && <span className="rd-field-aside">{before}</span>}
				<input
					{...rest}
					id={inputId}
					type={secret && revealed ? "text" : type}
					aria-invalid={error ? true : undefined}
					aria-describedby={error || hint ? noteId : undefined}
				/>
				{after && <span className="rd-field-aside">{after}</span>}
				{secret && (
					<button
						type="button"
						className="rd-field-reveal"
						aria-label="Show what is typed"
						aria-pressed={revealed}
						onClick={() => setRevealed(!revealed)}
					>
						{revealed ? <EyeOff size={16} aria-hidden /> : <Eye size={16} aria-hidden />}
					</button>
				)}
			</div>
			{(error || hint) && (
				<p id={noteId} className="rd-field-note" data-invalid={error ? true : undefined} aria-live="polite">
					{error ?? hint}
				</p>
			)}
		</div>
	);
}
