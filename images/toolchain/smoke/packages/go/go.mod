module example.com/smokegreeting

go 1.19
