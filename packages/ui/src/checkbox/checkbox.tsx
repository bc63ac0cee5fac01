import { type InputHTMLAttributes, type ReactNode, type Ref, useId } from "react";
import { classes } from "../classes.ts";

export interface CheckboxProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type" | "role"> {
	label: ReactNode;
	hint?: ReactNode;
	ref?: Ref<HTMLInputElement> | undefined;
}

/** A choice that takes effect with the form. */
export function Checkbox(props: CheckboxProps) {
	return <Toggle {...props} kind="checkbox" />;
}

/** A choice that takes effect at once. */
export function Switch(props: CheckboxProps) {
	return <Toggle {...props} kind="switch" />;
}

function Toggle({ label, hint, kind, id, className, ...rest }: CheckboxProps & { kind: "checkbox" | "switch" }) {
	const ownId = useId();
	const inputId = id ?? ownId;
	return (
		<div className={classes("rd-toggle", className)} data-kind={kind}>
			<input
				{...rest}
				id={inputId}
				type="checkbox"
				role={kind === "switch" ? "switch" : undefined}
				aria-describedby={hint ? `${inputId}-note` : undefined}
			/>
			<div>
				<label htmlFor={inputId}>{label}</label>
				{hint && (
					<p id={`${inputId}-note`} className="rd-field-note">
						{hint}
					</p>
				)}
			</div>
		</div>
	);
}
