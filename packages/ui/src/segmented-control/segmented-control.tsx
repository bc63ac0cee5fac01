import { type ReactNode, useId } from "react";

export interface SegmentedControlProps<Value extends string> {
	label: string;
	hideLabel?: boolean | undefined;
	options: readonly { value: Value; label: string; icon?: ReactNode }[];
	value: Value;
	onChange: (value: Value) => void;
	disabled?: boolean | undefined;
}

/** One of a few choices, all in sight; radio buttons underneath. */
export function SegmentedControl<Value extends string>({
	label,
	hideLabel = false,
	options,
	value,
	onChange,
	disabled = false,
}: SegmentedControlProps<Value>) {
	const name = useId();
	return (
		<fieldset className="rd-segmented" disabled={disabled}>
			<legend className={hideLabel ? "rd-visually-hidden" : "rd-field-label"}>{label}</legend>
			<div className="rd-segmented-row">
				{options.map((option) => (
					<label key={option.value}>
						<input
							type="radio"
							name={name}
							value={option.value}
							checked={option.value === value}
							onChange={() => onChange(option.value)}
						/>
						<span>
							{option.icon}
							{option.label}
						</span>
					</label>
				))}
			</div>
		</fieldset>
	);
}
