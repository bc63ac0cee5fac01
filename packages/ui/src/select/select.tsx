import { ChevronDown } from "lucide-react";
import { type ReactNode, type Ref, type SelectHTMLAttributes, useId } from "react";
import { classes } from "../classes.ts";

export interface SelectProps extends SelectHTMLAttributes<HTMLSelectElement> {
	label: string;
	hideLabel?: boolean | undefined;
	hint?: ReactNode;
	options: readonly { value: string; label: string; disabled?: boolean }[];
	ref?: Ref<HTMLSelectElement> | undefined;
}

/** The platform's own chooser, labelled, in our frame. */
export function Select({ label, hideLabel = false, hint, options, id, className, ...rest }: SelectProps) {
	const ownId = useId();
	const selectId = id ?? ownId;
	return (
		<div className={classes("rd-field", className)}>
			<label className={hideLabel ? "rd-visually-hidden" : "rd-field-label"} htmlFor={selectId}>
				{label}
			</label>
			<div className="rd-field-frame rd-select">
				<select {...rest} id={selectId} aria-describedby={hint ? `${selectId}-note` : undefined}>
					{options.map((option) => (
						<option key={option.value} value={option.value} disabled={option.disabled}>
							{option.label}
						</option>
					))}
				</select>
				<ChevronDown size={16} aria-hidden />
			</div>
			{hint && (
				<p id={`${selectId}-note`} className="rd-field-note">
					{hint}
				</p>
			)}
		</div>
	);
}
