<?php

declare(strict_types=1);

// Prints the calendar of this month and marks today.

function printMonth(DateTimeImmutable $today): void
{
    $first = $today->modify('first day of this month');
    $emptyDays = (int) $first->format('N') - 1; // Monday is 1

    echo "\n  ", $today->format('F Y'), "\n  Mo Tu We Th Fr Sa Su\n  ", str_repeat('   ', $emptyDays);

    $daysInMonth = (int) $today->format('t');
    for ($day = 1; $day <= $daysInMonth; $day++) {
        $isToday = $day === (int) $today->format('j');
        printf($isToday ? "\e[7m%2d\e[0m " : '%2d ', $day);
        if (($day + $emptyDays) % 7 === 0) {
            echo "\n  ";
        }
    }
    echo "\n";
}

$today = new DateTimeImmutable('today');
printMonth($today);

$newYear = $today->modify('first day of january next year');
printf("\n  %d days until the new year.\n", $today->diff($newYear)->days);

// What next? Print the whole year, or count the days until your birthday.
